package problem

import (
	"net/http"
	"time"
)

// Kind is a class of failure that a client can tell apart, whatever the words
// beside it say.
type Kind struct {
	// Name is the last part of the type URI (RFC 9457), which never changes. It is
	// empty where only OAuth endpoints answer so.
	Name   string
	Title  string
	Status int

	// Retry is sent as Retry-After; 0 means that trying again does not help.
	Retry time.Duration

	// Bearer is the error code of RFC 6750 section 3.1, for the challenge; empty
	// where there is none.
	Bearer string

	// OAuth is the error code at the OAuth endpoints, and OAuthStatus the status
	// there; 0 means Status. "Error" of RFC 6749 section 5.2 is meant, or what RFC
	// 7009 adds to it.
	OAuth       string
	OAuthStatus int

	GRPC Code

	// Detail says more, where the error itself has no words for clients: printable
	// ASCII without quotes and backslashes, as RFC 6749 wants it.
	Detail string
}

// Code is a gRPC status code, as google.golang.org/grpc/codes numbers them. Those
// who serve HTTP only compile no gRPC.
type Code uint32

// The codes that are answered.
const (
	CodeOK                 Code = 0
	CodeInvalidArgument    Code = 3
	CodeDeadlineExceeded   Code = 4
	CodeNotFound           Code = 5
	CodeAlreadyExists      Code = 6
	CodePermissionDenied   Code = 7
	CodeResourceExhausted  Code = 8
	CodeFailedPrecondition Code = 9
	CodeUnimplemented      Code = 12
	CodeInternal           Code = 13
	CodeUnavailable        Code = 14
	CodeUnauthenticated    Code = 16
)

// Error codes of RFC 6749 and RFC 7009.
const (
	invalidRequest = "invalid_request"
	invalidGrant   = "invalid_grant"
	accessDenied   = "access_denied"
	unavailable    = "temporarily_unavailable"
)

// Faults of the request.
var (
	InvalidField = badRequest("invalid-field", "Invalid field", http.StatusBadRequest)
	Malformed    = badRequest("malformed-body", "Malformed body", http.StatusBadRequest)
	TooLarge     = badRequest("body-too-large", "Body too large", http.StatusRequestEntityTooLarge)
	MediaType    = badRequest("unsupported-media-type", "Unsupported media type", http.StatusUnsupportedMediaType)
	SlowBody     = badRequest("body-timeout", "The body did not arrive in time", http.StatusRequestTimeout)
	Accept       = badRequest("not-acceptable", "Not acceptable", http.StatusNotAcceptable)

	NotFound = Kind{Name: "not-found", Title: "Not found", Status: http.StatusNotFound, OAuth: invalidRequest, GRPC: CodeNotFound}
	Method   = Kind{Name: "method-not-allowed", Title: "Method not allowed", Status: http.StatusMethodNotAllowed, OAuth: invalidRequest, GRPC: CodeUnimplemented}
	NotHere  = Kind{Name: "not-implemented", Title: "Not implemented", Status: http.StatusNotImplemented, OAuth: invalidRequest, GRPC: CodeUnimplemented}
	TooMany  = Kind{Name: "too-many-requests", Title: "Too many requests", Status: http.StatusTooManyRequests, Retry: time.Second, OAuth: unavailable, GRPC: CodeResourceExhausted,
		Detail: "this caller makes more requests a second than this node is configured to take from one"}

	// StrictOff: the request asks for what this node is not configured for.
	StrictOff = Kind{Name: "invalid-request", Title: "Invalid request", Status: http.StatusBadRequest, OAuth: invalidRequest, GRPC: CodeFailedPrecondition,
		Detail: "strict one-time tokens are not configured here; use mode available, or set one-time.strict"}
)

// Faults of the token, or of its lack.
var (
	Token   = Kind{Name: "invalid-token", Title: "Unauthorized", Status: http.StatusUnauthorized, Bearer: "invalid_token", OAuth: invalidGrant, OAuthStatus: http.StatusBadRequest, GRPC: CodeUnauthenticated}
	NoToken = Kind{Name: Token.Name, Title: Token.Title, Status: Token.Status, OAuth: invalidRequest, OAuthStatus: http.StatusBadRequest, GRPC: CodeUnauthenticated}

	// OtherType is a token that is genuine, and of a type that is not taken here.
	OtherType = Kind{Name: Token.Name, Title: Token.Title, Status: Token.Status, Bearer: Token.Bearer, OAuth: "unsupported_token_type", OAuthStatus: http.StatusBadRequest, GRPC: CodeUnauthenticated}

	Header = Kind{Name: "invalid-request", Title: "Invalid request", Status: http.StatusBadRequest, Bearer: invalidRequest, OAuth: invalidRequest, GRPC: CodeUnauthenticated}
	// OtherIssuer is a token that is good, of an issuer whose tokens the route does
	// not take. RFC 6750 has one code for tokens that are not enough.
	OtherIssuer = Kind{Name: "other-issuer", Title: "Forbidden", Status: http.StatusForbidden, Bearer: "insufficient_scope", OAuth: accessDenied, GRPC: CodePermissionDenied}

	Scope = Kind{Name: "insufficient-scope", Title: "Forbidden", Status: http.StatusForbidden, Bearer: "insufficient_scope", OAuth: "invalid_scope", OAuthStatus: http.StatusBadRequest, GRPC: CodePermissionDenied}

	Consumed = Kind{Name: "consumed", Title: "Token used before", Status: http.StatusConflict, OAuth: invalidGrant, OAuthStatus: http.StatusBadRequest, GRPC: CodeAlreadyExists}
)

// Who asks is not known here, or may not.
var (
	Admin    = Kind{Name: "admin-token-needed", Title: "Unauthorized", Status: http.StatusUnauthorized, OAuth: "invalid_client", GRPC: CodeUnauthenticated}
	Receiver = Kind{Name: "receiver-token-needed", Title: "Unauthorized", Status: http.StatusUnauthorized, OAuth: "invalid_client", GRPC: CodeUnauthenticated}
	AdminOff = Kind{Name: "admin-disabled", Title: "Admin endpoints are off", Status: http.StatusForbidden, OAuth: accessDenied, GRPC: CodePermissionDenied}

	InvalidClient = Kind{Title: "Unauthorized", Status: http.StatusUnauthorized, OAuth: "invalid_client", GRPC: CodeUnauthenticated,
		Detail: "the client must authenticate, by HTTP Basic or in the form"}
	OtherClient = Kind{Title: "Issued to another client", Status: http.StatusBadRequest, OAuth: invalidGrant, GRPC: CodePermissionDenied,
		Detail: "the token was issued to another client"}
	MayNot = Kind{Title: "Forbidden", Status: http.StatusForbidden, OAuth: accessDenied, GRPC: CodePermissionDenied,
		Detail: "this client may not introspect"}
)

// Of this node: it can't know, or can't promise, right now. A full node answers
// 503 and not 429, because it is the node that is at its limit and not the client
// that asks too often; it asks to wait longest, since only expiry makes room.
var (
	CannotKnow = passing("cannot-know", "Node cannot know right now", time.Second,
		"the node is not ready to judge this token, or has not got the issuer's keys yet")
	Stale = passing("stale", "Node may be too far behind", time.Second,
		"the node may be further behind than is allowed here")
	Undecided = passing("undecided", "Whether the token has been used could not be decided", time.Second,
		"whether this is the first use could not be decided in time; the token may be used up now")
	Behind = passing("behind", "Node does not hold that version yet", time.Second,
		"the node did not come to hold the version that the request presents")
	Busy = passing("busy", "Too many requests wait", time.Second,
		"as many requests as are allowed wait already")
	Full = passing("full", "Revocation limit reached", time.Minute,
		"the node holds as many live revocations as it, or as one issuer, may have; it never evicts one, so room comes with expiry or a higher revocations.max")
	FullStore = passing("full", "Revocation limit reached", time.Minute,
		"the stream that the cluster keeps its revocations in is full; the revocation is in force where it has arrived, but not durable. Room comes with expiry, or once an operator raises the limit of the stream")
	NotReady = passing("not-ready", "Node not ready", time.Second,
		"the node has not loaded and synchronised yet")
	Closing = passing("closing", "Node is shutting down", time.Second,
		"the node is leaving; ask another one")
	Isolated = passing("isolated", "Node isolated from its peers", 5*time.Second,
		"the node has heard from no peer for too long and is configured to refuse revocations then")
	Unstored = passing("unavailable", "Store of revocations does not answer", 5*time.Second,
		"the store of revocations does not answer, or has failed; the revocation is in force where it has arrived, but not durable: send it again")
	Timeout = passing("not-accepted-in-time", "Not accepted in time", time.Second,
		"the node could not finish this in time; it may be or not be done, and sending a revocation again is harmless")
)

// Unconfirmed is a revocation that stands, and of which fewer nodes than asked for
// have said so. It is no failure over HTTP. gRPC has no code for it but this one,
// which says that it may have been done.
var Unconfirmed = Kind{Name: "unconfirmed", Title: "Fewer nodes acknowledged than asked for", Status: http.StatusAccepted, OAuth: unavailable, OAuthStatus: http.StatusServiceUnavailable, GRPC: CodeDeadlineExceeded,
	Detail: "the revocation is durable on this node and is spreading, but fewer nodes than asked for acknowledged it in time; nothing is rolled back"}

// Unexpected is what has no row. RFC 7009 has clients try again after a 503.
var Unexpected = Kind{Name: "internal", Title: "Internal error", Status: http.StatusInternalServerError, OAuth: unavailable, OAuthStatus: http.StatusServiceUnavailable, GRPC: CodeInternal,
	Detail: "the request could not be handled"}

// Success is the kind of nil.
var Success = Kind{Status: http.StatusOK, GRPC: CodeOK}

func badRequest(name, title string, status int) Kind {
	return Kind{Name: name, Title: title, Status: status, OAuth: invalidRequest, GRPC: CodeInvalidArgument}
}

func passing(name, title string, retry time.Duration, detail string) Kind {
	return Kind{Name: name, Title: title, Status: http.StatusServiceUnavailable, Retry: retry, OAuth: unavailable, GRPC: CodeUnavailable, Detail: detail}
}

// Kinds returns all kinds that a problem can be of.
func Kinds() []Kind {
	return []Kind{
		InvalidField, Malformed, TooLarge, MediaType, SlowBody, Accept, NotFound, Method, NotHere, TooMany, StrictOff,
		Token, NoToken, OtherType, Header, OtherIssuer, Scope, Consumed, Admin, Receiver, AdminOff, InvalidClient, OtherClient, MayNot,
		CannotKnow, Stale, Undecided, Behind, Busy, Full, FullStore, NotReady, Closing, Isolated, Unstored, Timeout, Unconfirmed, Unexpected,
	}
}
