package ssf

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"sync"
)

// Receiver is somebody who is told of revocations, by push or by poll.
type Receiver struct {
	// Name is 1 to 64 letters, digits, - and _: in logs and metrics, as stream_id,
	// and of the queue. Who is renamed loses what waits.
	Name string `yaml:"name"`

	// Audience is the aud of its events. Required.
	Audience string `yaml:"audience"`

	// Push is where its events are sent (RFC 8935): https, or http on loopback.
	// Empty: it polls (RFC 8936).
	Push string `yaml:"push"`

	// TokenFile is a file with the bearer token for Push, for whoever sets Token.
	TokenFile string `yaml:"token-file"`

	// Token returns the bearer token for Push; it is called for each event. nil
	// sends none.
	Token func() (string, error) `yaml:"-"`

	// SHA256 of the bearer token with which it polls and asks for verification, in
	// 64 hexadecimal digits. Required where it polls; empty: it can't ask.
	SHA256 string `yaml:"sha256"`

	// Issuer is the iss of the events that it transmits itself. What it told is not
	// told to it. Empty: it transmits none.
	Issuer string `yaml:"issuer"`

	// Issuers are those of whose sessions and subjects it is told. Empty: all.
	Issuers []string `yaml:"issuers"`
}

var receiverNames = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// CheckReceivers says what is wrong with a list.
func CheckReceivers(list []Receiver) error {
	seen, tokens := map[string]bool{}, map[string]bool{}
	for i, r := range list {
		digest, err := hex.DecodeString(r.SHA256)
		switch {
		case !receiverNames.MatchString(r.Name) || seen[r.Name]:
			return fmt.Errorf("ssf: receiver %d is called %.80q; give each a name of its own, of letters, digits, - and _", i+1, r.Name)
		case r.Audience == "":
			return fmt.Errorf("ssf: receiver %s has no audience", r.Name)
		case r.Push == "" && r.SHA256 == "":
			return fmt.Errorf("ssf: receiver %s has neither a URL to push to nor the sha256 of a token to poll with", r.Name)
		case r.SHA256 != "" && (err != nil || len(digest) != sha256.Size):
			return fmt.Errorf("ssf: the sha256 of receiver %s has not 64 hexadecimal digits; make one with 'rescind keys hash'", r.Name)
		case r.SHA256 != "" && tokens[string(digest)]:
			return fmt.Errorf("ssf: receiver %s has the token of another; which of them polls could not be told", r.Name)
		case r.Push == "" && r.TokenFile != "":
			return fmt.Errorf("ssf: receiver %s polls, so that token-file has no use", r.Name)
		}
		if r.Push != "" {
			if err := checkURL(r.Push); err != nil {
				return fmt.Errorf("ssf: the push URL of receiver %s: %w", r.Name, err)
			}
		}
		seen[r.Name], tokens[string(digest)] = true, true
	}
	return nil
}

// outlet is a receiver with what waits for it.
type outlet struct {
	Receiver
	digest []byte // of its token; nil: none
	queue  *queue
	told   memory        // for the goroutine of intake alone
	polls  chan struct{} // holds one for each poll that is kept open

	mu    sync.Mutex // guards stats
	stats ReceiverStats
}

// ReceiverStats are what has been counted for one receiver.
type ReceiverStats struct {
	Name      string
	Delivered uint64            // taken by the receiver
	Refused   map[string]uint64 // by the receiver, by the code of RFC 8935, or "other"
	Dropped   uint64            // the oldest, because too many waited, or what the disk did not take
	Expired   uint64            // not delivered before nothing was left that they could end
	Failed    uint64            // attempts to push
	Queued    int               // events that wait
	Bytes     int64             // that those take
}

func (o *outlet) count(change func(*ReceiverStats)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(&o.stats)
}

// wants reports whether the receiver is told of what was revoked in such a way.
func (o *outlet) wants(issuer string, from Origin) bool {
	return (o.Issuer == "" || o.Issuer != from.Issuer) && (len(o.Issuers) == 0 || slices.Contains(o.Issuers, issuer))
}

// Stats returns what has been counted, by receiver.
func (t *Transmitter) Stats() []ReceiverStats {
	all := make([]ReceiverStats, len(t.outlets))
	for i, o := range t.outlets {
		o.mu.Lock()
		all[i] = o.stats
		all[i].Refused = make(map[string]uint64, len(o.stats.Refused))
		for code, n := range o.stats.Refused {
			all[i].Refused[code] = n
		}
		o.mu.Unlock()
		all[i].Queued, all[i].Bytes, _ = o.queue.size()
	}
	return all
}

// Who returns the name of the receiver whose bearer token raw is. All are
// compared, so that the time tells nothing.
func (t *Transmitter) Who(raw string) (name string, ok bool) {
	digest := sha256.Sum256([]byte(raw))
	for _, o := range t.outlets {
		if subtle.ConstantTimeCompare(digest[:], o.digest) == 1 {
			name, ok = o.Name, true
		}
	}
	return name, ok
}

func (t *Transmitter) outlet(name string) *outlet {
	for _, o := range t.outlets {
		if o.Name == name {
			return o
		}
	}
	return nil
}
