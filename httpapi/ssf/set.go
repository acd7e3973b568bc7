package ssf

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"rescind"
)

// The events that are transmitted: of CAEP 1.0, section 3.1, and of the Shared
// Signals Framework, section 8.1.4.1.
const (
	sessionRevoked = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
	verification   = "https://schemas.openid.net/secevent/ssf/event-type/verification"
)

// typeEvent is the typ of an event token (RFC 8417, section 2.3).
const typeEvent = "secevent+jwt"

// subject is a subject identifier: RFC 9493, and complex as the framework has it.
type subject struct {
	Format  string   `json:"format"`
	Iss     string   `json:"iss,omitempty"`
	Sub     string   `json:"sub,omitempty"`
	ID      string   `json:"id,omitempty"`
	URI     string   `json:"uri,omitempty"`
	Session *subject `json:"session,omitempty"`
	Tenant  *subject `json:"tenant,omitempty"`
}

// subjectOf names what a revocation ends. A session is opaque; whose it is says
// tenant. It returns nil for what a session-revoked event can't name truly: one
// token is no session, and an application, a key or an issuer is no subject.
func subjectOf(k rescind.Key) *subject {
	switch k.Scope {
	case rescind.ScopeSub:
		return &subject{Format: "iss_sub", Iss: k.Issuer, Sub: k.ID}
	case rescind.ScopeSID:
		return &subject{Format: "complex", Session: &subject{Format: "opaque", ID: k.ID}, Tenant: &subject{Format: "uri", URI: k.Issuer}}
	}
	return nil
}

// notice is an event as it waits, for one receiver. It is signed when it is
// handed out, by the key that is in force then.
type notice struct {
	ID      string         `json:"jti"`
	At      int64          `json:"iat"`
	Txn     string         `json:"txn,omitempty"`
	Subject *subject       `json:"sub_id"`
	Event   string         `json:"event"`
	Payload map[string]any `json:"payload"`

	// Until is when nothing is left that the event could end, in milliseconds.
	Until rescind.Millis `json:"until"`
}

func (n *notice) expired(now time.Time) bool { return n.Until <= rescind.MillisOf(now) }

// setClaims are those of an event token. There is no exp and no sub (Shared
// Signals Framework, section 4.1).
type setClaims struct {
	Iss    string                    `json:"iss"`
	Jti    string                    `json:"jti"`
	Iat    int64                     `json:"iat"`
	Aud    string                    `json:"aud"`
	Txn    string                    `json:"txn,omitempty"`
	SubID  *subject                  `json:"sub_id"`
	Events map[string]map[string]any `json:"events"`
}

// newID returns a jti that leads back to the entry.
func newID(seq uint64) string { return strconv.FormatUint(seq, 16) + "-" + rand.Text() }

// seqOf is the number of the entry that a jti of ours may belong to.
func seqOf(id string) (seq uint64, ok bool) {
	number, _, ok := strings.Cut(id, "-")
	seq, err := strconv.ParseUint(number, 16, 64)
	return seq, ok && err == nil
}

func parseNotice(value []byte) (*notice, error) {
	n := new(notice)
	if err := json.Unmarshal(value, n); err != nil || n.Subject == nil {
		return nil, fmt.Errorf("ssf: a queued event of %d bytes can't be read", len(value))
	}
	return n, nil
}

// sign makes the event token of n for a receiver.
func (t *Transmitter) sign(n *notice, audience string) (string, error) {
	self := t.self.Load()
	raw, err := self.signer.SignJWT(typeEvent, setClaims{
		Iss: self.issuer, Jti: n.ID, Iat: n.At, Aud: audience, Txn: n.Txn, SubID: n.Subject,
		Events: map[string]map[string]any{n.Event: n.Payload},
	})
	if err != nil {
		return "", fmt.Errorf("ssf: sign an event: %w", err)
	}
	return raw, nil
}
