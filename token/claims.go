package token

import (
	"github.com/go-json-experiment/json/jsontext"

	"rescind"
	"rescind/token/internal/strict"
)

// claims are the claims that are judged. Identifiers are kept byte for byte;
// they are never normalised, so NFC and NFD are different.
type claims struct {
	iss, sub, jti, sid, clientID, azp string

	aud []string

	// sessionIssued and clientSession are of our own Issuer: see session.
	sessionIssued rescind.Millis
	clientSession bool

	// A time is 0 where the token has none. exp is never 0 in a token; the
	// others say nothing if they are (Keycloak writes such).
	exp, nbf, iat, authTime rescind.Millis

	status statusClaim

	// hint is the type that a claim betrays where typ is silent: an ID token,
	// a logout token, a refresh token.
	hint string
}

// Private claims of Issuer, with collision-resistant names (RFC 7519 section 2).
const (
	claimSessionIssued = "urn:rescind:session_iat"
	claimClientSession = "urn:rescind:client_session"
)

var claimNames = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "client_id", "azp", "auth_time",
	claimSessionIssued, claimClientSession,
}

// parseClaims reads a claims set (RFC 7519 section 4).
func parseClaims(raw []byte, maxDepth int) (claims, error) {
	var c claims
	if err := strict.ReadObject(raw, maxDepth, claimNames, c.read); err != nil {
		return claims{}, refuse(ErrClaims, "claims", "the claims are not acceptable JSON or one has a wrong type or range")
	}
	return c, nil
}

func (c *claims) read(name string, dec *jsontext.Decoder) (err error) {
	switch name {
	case "iss":
		c.iss, err = strict.ReadString(dec, rescind.MaxIDLen)
	case "sub":
		c.sub, err = strict.ReadString(dec, rescind.MaxIDLen)
	case "jti":
		c.jti, err = strict.ReadString(dec, rescind.MaxIDLen)
	case "sid":
		c.sid, err = strict.ReadString(dec, rescind.MaxIDLen)
	case "client_id":
		c.clientID, err = strict.ReadString(dec, rescind.MaxIDLen)
	case "azp":
		c.azp, err = strict.ReadString(dec, rescind.MaxIDLen)
	case "aud":
		c.aud, err = readAudience(dec)
	case "exp":
		c.exp, err = readExpiry(dec)
	case "auth_time":
		c.authTime, err = strict.ReadNumericDate(dec)
	case "iat":
		c.iat, err = strict.ReadNumericDate(dec)
	case "nbf":
		c.nbf, err = strict.ReadNumericDate(dec)
	case "status":
		err = c.status.readStatus(dec)
	case claimSessionIssued:
		c.sessionIssued, err = strict.ReadNumericDate(dec)
	case claimClientSession:
		c.clientSession, err = strict.ReadBool(dec)
	default:
		return c.readHint(name, dec)
	}
	return err
}

// readHint notes what an unregistered claim says about the token's purpose.
// OpenID Connect marks ID tokens with at_hash and c_hash and logout tokens with
// events; Keycloak and Cognito name the purpose in typ and token_use.
func (c *claims) readHint(name string, dec *jsontext.Decoder) error {
	switch name {
	case "events":
		c.hint = TypeLogout
	case "at_hash", "c_hash":
		c.hint = typeID
	case "typ", "token_use":
		s, err := strict.ReadHint(dec)
		if t, ok := purposes[s]; ok {
			c.hint = t
		}
		return err
	}
	return strict.Skip(dec)
}

var purposes = map[string]string{
	"ID": typeID, "id": typeID,
	"Refresh": TypeRefresh, "Offline": TypeRefresh,
	"Logout": TypeLogout,
}

// readExpiry reads a NumericDate that can't be 0, which would look like none.
func readExpiry(dec *jsontext.Decoder) (rescind.Millis, error) {
	m, err := strict.ReadNumericDate(dec)
	if err == nil && m == 0 {
		err = strict.ErrJSON
	}
	return m, err
}

// readAudience reads a string or an array of strings.
func readAudience(dec *jsontext.Decoder) ([]string, error) {
	if dec.PeekKind() != '[' {
		s, err := strict.ReadString(dec, rescind.MaxIDLen)
		return []string{s}, err
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, strict.ErrJSON
	}
	var aud []string
	for dec.PeekKind() != ']' {
		s, err := strict.ReadString(dec, rescind.MaxIDLen)
		if err != nil {
			return nil, err
		}
		aud = append(aud, s)
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, strict.ErrJSON
	}
	return aud, nil
}
