package token

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rescind"
	"rescind/token/internal/strict"
)

// Pair is what a client gets from Login and Refresh. Its JSON form is the token
// response of RFC 6749 section 5.1; printed or logged, it hides the tokens.
type Pair struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"` // always "Bearer"
	ExpiresIn    int    `json:"expires_in"` // of the access token, in seconds
	RefreshToken string `json:"refresh_token"`

	// SessionID is the sid of both tokens.
	SessionID string `json:"-"`
}

// String hides the tokens from fmt.
func (p Pair) String() string { return "token.Pair(redacted)" }

// GoString hides the tokens from fmt's %#v.
func (p Pair) GoString() string { return p.String() }

// LogValue hides the tokens from log/slog.
func (p Pair) LogValue() slog.Value { return slog.StringValue(p.String()) }

// session is what the tokens of one login have in common.
type session struct {
	id       string
	subject  string
	clientID string
	extra    map[string]jsontext.Value

	clientSession       bool   // opened with OnePerClient
	accessID, refreshID string // the jti of the tokens to be minted

	began  rescind.Millis // the login: auth_time
	dated  rescind.Millis // 0, or the later instant that revocations compare with: see LogoutOthers
	issued rescind.Millis // iat of the tokens to be minted; never before valid
}

// valid returns the instant that revocations compare with.
func (s *session) valid() rescind.Millis { return max(s.began, s.dated) }

func newSession(subject string, o LoginOptions) (session, error) {
	s := session{
		id: rand.Text(), subject: subject, clientID: o.ClientID, extra: make(map[string]jsontext.Value),
		clientSession: o.Only == OnePerClient, accessID: rand.Text(), refreshID: rand.Text(),
	}
	for name, value := range o.Claims {
		if slices.Contains(claimNames, name) {
			return session{}, &rescind.InvalidError{Field: name, Problem: "is a claim that the issuer sets itself"}
		}
		b, err := json.Marshal(value)
		if err != nil {
			return session{}, &rescind.InvalidError{Field: name, Problem: "can't be written as JSON"}
		}
		s.extra[name] = b
	}
	return s, nil
}

// mint signs an access token and a refresh token for s.
func (i *Issuer) mint(s session, key *signingKey) (Pair, error) {
	now := rescind.MillisOf(i.config.Now())
	accessEnd, refreshEnd := i.expiry(s, i.config.AccessLifetime), i.expiry(s, i.config.RefreshLifetime)
	if end := i.expiry(s, i.config.SessionLifetime); end <= now || end <= s.issued {
		if !knowsTime(i.config.Checker) {
			return Pair{}, errClock
		}
		return Pair{}, refuse(ErrExpired, "time", "the session has reached its hard time-out")
	}
	access, err := i.sign(key, TypeAccess, s, s.accessID, accessEnd, i.config.Audience)
	if err != nil {
		return Pair{}, fmt.Errorf("token: minting an access token: %w", err)
	}
	refresh, err := i.sign(key, TypeRefresh, s, s.refreshID, refreshEnd, []string{i.config.Issuer})
	if err != nil {
		return Pair{}, fmt.Errorf("token: minting a refresh token: %w", err)
	}
	return Pair{
		AccessToken:  access,
		TokenType:    "Bearer",
		ExpiresIn:    int(max(accessEnd-now, 0) / 1000), // 0 in a late retry
		RefreshToken: refresh,
		SessionID:    s.id,
	}, nil
}

// expiry returns when a token of s expires: after lifetime or at the session's
// hard time-out, down to a whole second, which every reader understands.
func (i *Issuer) expiry(s session, lifetime time.Duration) rescind.Millis {
	end := min(s.issued.Add(lifetime), s.began.Add(i.config.SessionLifetime))
	return end - end%1000
}

// sign returns a token of type typ. auth_time is the login, whatever token was
// refreshed: a refresh on a node that has not yet heard of "log out everywhere"
// must not give a token that looks newer than the log-out.
func (i *Issuer) sign(key *signingKey, typ string, s session, id string, expires rescind.Millis, aud []string) (string, error) {
	payload := map[string]any{
		"iss": i.config.Issuer, "sub": s.subject, "jti": id,
		"iat": strict.NumericDate(s.issued), "auth_time": strict.NumericDate(s.began), "exp": int64(expires / 1000),
	}
	if s.id != "" { // a one-time token may have no session
		payload["sid"] = s.id
	}
	if len(aud) > 0 {
		payload["aud"] = aud
	}
	if s.clientID != "" {
		payload["client_id"] = s.clientID
	}
	if s.dated != 0 {
		payload[claimSessionIssued] = strict.NumericDate(s.dated)
	}
	if s.clientSession {
		payload[claimClientSession] = true
	}
	for name, value := range s.extra {
		payload[name] = value
	}
	raw, err := key.sign(map[string]any{"alg": "ES256", "typ": typ, "kid": key.kid}, payload)
	if err != nil {
		return "", err
	}
	return raw, acceptable(raw)
}

// sign returns header and payload in JWS Compact Serialization. Equal arguments
// give equal tokens.
func (k *signingKey) sign(header, payload any) (string, error) {
	h, err := json.Marshal(header, json.Deterministic(true))
	if err != nil {
		return "", fmt.Errorf("writing the header: %w", err)
	}
	p, err := json.Marshal(payload, json.Deterministic(true))
	if err != nil {
		return "", fmt.Errorf("writing the claims: %w", err)
	}
	input := base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(p)
	sig, err := k.signES256(input)
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(sig), nil
}

// signer returns the key that signs now.
func (i *Issuer) signer() *signingKey {
	return i.config.Keys.signer(rescind.MillisOf(i.config.Now()))
}

// nonces is nil for a key that we hold: crypto/ecdsa then signs
// deterministically. What a KMS makes of it is its own affair.
func (k *signingKey) nonces() io.Reader {
	if k.private != nil {
		return nil
	}
	return rand.Reader
}

// signES256 signs as RFC 7518 section 3.4 says, deterministically (RFC 6979), as
// RFC 8725 section 3.2 recommends; golang-jwt signs only with random nonces.
func (k *signingKey) signES256(input string) ([]byte, error) {
	sum := sha256.Sum256([]byte(input))
	der, err := k.signer.Sign(k.nonces(), sum[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &rs); err != nil {
		return nil, err
	}
	if rs.R == nil || rs.S == nil || rs.R.Sign() <= 0 || rs.S.Sign() <= 0 || rs.R.BitLen() > 256 || rs.S.BitLen() > 256 {
		return nil, errors.New("the signer returned no ECDSA signature on P-256")
	}
	sig := make([]byte, 64)
	rs.R.FillBytes(sig[:32])
	rs.S.FillBytes(sig[32:])
	return sig, nil
}

// acceptable reports whether a verifier with default limits would read the
// token: the caller's claims may be too many, too deep or misnamed.
func acceptable(raw string) error {
	c, err := splitCompact(raw, DefaultMaxTokenBytes)
	if err != nil {
		return err
	}
	_, err = parseClaims(c.payload, DefaultMaxDepth)
	return err
}
