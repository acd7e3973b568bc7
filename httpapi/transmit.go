package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"rescind/httpapi/ssf"
	"rescind/internal/problem"
	"rescind/token"
)

const (
	eventPollPath   = "/v1/security-events/poll"
	eventVerifyPath = "/v1/security-events/verify"

	// pollDeadline is how long a poll may stay open; a transmitter answers sooner.
	pollDeadline = 45 * time.Second

	receiverRealm = "rescind-receiver"
)

// receiverOnly admits the receivers of a transmitter alone.
func (a *API) receiverOnly(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if a.cfg.Transmitter == nil {
			problem.NotFound.Write(w, "this node tells nobody of revocations")
			return
		}
		raw, err := token.Bearer(r)
		name, known := "", false
		if err == nil {
			name, known = a.cfg.Transmitter.Who(raw)
		}
		if !known {
			challenge := `Bearer realm="` + receiverRealm + `"`
			if !errors.Is(err, token.ErrNoToken) {
				challenge += `, error="invalid_token"`
			}
			w.Header().Set("WWW-Authenticate", challenge)
			problem.Receiver.Write(w, "the token of a receiver is needed, once, as Authorization: Bearer")
			return
		}
		next(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, name)))
	}
}

// offerEvents answers a poll for security events (RFC 8936). A poll that waits ends
// when the API drains.
func (a *API) offerEvents(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(w, r, "application/json")
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	// The server's own deadline may be meant for answers that don't wait.
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(pollDeadline)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		a.refuse(w, r, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(a.drained, cancel)()
	answer, err := a.cfg.Transmitter.Poll(ctx, callerOf(r), body)
	switch {
	case err == nil:
		writeRaw(w, answer)
	case errors.Is(err, ssf.ErrPollForm):
		problem.Malformed.Write(w, "the body is no poll as RFC 8936 has it")
	case errors.Is(err, ssf.ErrTooMany):
		problem.TooMany.Write(w, "this receiver keeps too many polls open")
	case errors.Is(err, ssf.ErrNoOutlet):
		problem.NotFound.Write(w, "the events of this receiver are pushed")
	default: // which the transmitter has logged
		problem.Unexpected.Write(w, "what waits for this receiver can't be read; the node's log says why")
	}
}

// writeRaw answers with JSON.
func writeRaw(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Write(body) // a client that has gone away needs no answer
}

// verificationRequest is the body of a request for a verification event (Shared
// Signals Framework 1.0, section 8.1.4.2).
type verificationRequest struct {
	Stream text `json:"stream_id"` // the receiver's name; may be left out
	State  text `json:"state"`
}

// sendVerification sends the receiver an event that shows whether they arrive.
func (a *API) sendVerification(w http.ResponseWriter, r *http.Request) {
	var req verificationRequest
	body, err := readBody(w, r, "application/json")
	if err == nil {
		err = decodeStrict(body, &req)
	}
	switch {
	case err != nil:
		a.refuse(w, r, err)
	case req.Stream.set && req.Stream.value != callerOf(r):
		problem.NotFound.Write(w, "this receiver has no such stream")
	case a.cfg.Transmitter.Verify(callerOf(r), req.State.value) != nil:
		problem.InvalidField.WriteField(w, "state", "is too long; at most 1024 bytes are allowed")
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// ssfMetadata is the transmitter's metadata (Shared Signals Framework 1.0,
// section 7.1). There is no configuration_endpoint: streams are those that the
// node is configured with.
type ssfMetadata struct {
	SpecVersion     string      `json:"spec_version"`
	Issuer          string      `json:"issuer"`
	JWKSURI         string      `json:"jwks_uri"`
	Delivery        []string    `json:"delivery_methods_supported"`
	Verification    string      `json:"verification_endpoint"`
	Schemes         []urnScheme `json:"authorization_schemes"`
	DefaultSubjects string      `json:"default_subjects"`
}

type urnScheme struct {
	SpecURN string `json:"spec_urn"`
}

// ssfConfiguration says what is transmitted, for receivers to set themselves up.
func (a *API) ssfConfiguration(w http.ResponseWriter, _ *http.Request) {
	if a.cfg.Transmitter == nil {
		problem.NotFound.Write(w, "this node tells nobody of revocations")
		return
	}
	issuer := a.cfg.Transmitter.Issuer()
	base := strings.TrimSuffix(issuer, "/")
	w.Header().Set("Cache-Control", "public, max-age=60")
	writeJSON(w, http.StatusOK, ssfMetadata{
		SpecVersion: "1_0", Issuer: issuer, JWKSURI: base + "/.well-known/jwks.json",
		Delivery:     []string{"urn:ietf:rfc:8935", "urn:ietf:rfc:8936"},
		Verification: base + eventVerifyPath, Schemes: []urnScheme{{"urn:ietf:rfc:6750"}}, DefaultSubjects: "ALL",
	})
}
