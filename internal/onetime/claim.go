package onetime

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"rescind"
	"rescind/internal/natslink"
	"rescind/internal/natslogin"
)

const (
	nonceSize = 16
	claimSize = 8 + nonceSize

	// attemptTimeout is how long one request may take before it is asked what
	// became of it; retryPause is the pause before the next.
	attemptTimeout = time.Second
	retryPause     = 20 * time.Millisecond

	// claimTimeout bounds a whole claim. It is far below the margin by which a
	// key outlives its token, so that no claim arrives after that.
	claimTimeout = 10 * time.Second
)

// Outcome is what became of a claim. Use is the one that counts: the caller's
// own if it won.
type Outcome struct {
	Won bool
	Use rescind.Use
}

// Claim claims the token called d, which expires at expires, for use. Without
// an error it has either won or lost, for good. Any error means that it has not
// won, or that nobody knows: it matches rescind.ErrUndecided and says why. The
// token may be used up then. ctx bounds it, and 10 s do.
//
// A lost answer is settled by asking again: the value holds a nonce of this
// claim, so a key that is there already may be found to be our own.
func (s *Store) Claim(ctx context.Context, d rescind.Digest, use rescind.Use, expires rescind.Millis) (Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	mine := newClaim(use)
	before, err := s.Identity(ctx)
	if err != nil {
		return Outcome{}, fmt.Errorf("%w: %w", rescind.ErrUndecided, err)
	}
	for {
		held, err := s.attempt(ctx, d, mine, expires)
		switch {
		case err == nil && bytes.Equal(held, mine):
			if lapsed(expires) {
				return Outcome{}, fmt.Errorf("%w: the token expired meanwhile", rescind.ErrUndecided)
			}
			if after, err := s.Identity(ctx); err != nil || after != before {
				return Outcome{}, fmt.Errorf("%w: meanwhile another server answered, which has other buckets", rescind.ErrUndecided)
			}
			return Outcome{Won: true, Use: use}, nil
		case err == nil:
			return Outcome{Use: useOf(held)}, nil
		case fatal(err):
			return Outcome{}, fmt.Errorf("%w: %w", rescind.ErrUndecided, err)
		}
		if !natslink.Pause(ctx, retryPause) {
			return Outcome{}, fmt.Errorf("%w: %w", rescind.ErrUndecided, err)
		}
	}
}

// cause returns why a request failed: that the servers refuse this node, or what they
// denied it, if they did, and else err.
func (s *Store) cause(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return cmp.Or(s.conn.Refused(), natslink.Cause(ctx, err))
}

// fatal reports whether trying again can't help before somebody has changed
// something.
func fatal(err error) bool {
	_, denied := errors.AsType[*natslink.DeniedError](err)
	_, refused := errors.AsType[*natslogin.RefusedError](err)
	return denied || refused || errors.Is(err, ErrMayNotSync) || errors.Is(err, ErrWrongBucket)
}

// request bounds one attempt, and ends it when the server denies what it asks for.
func (s *Store) request(ctx context.Context) (context.Context, context.CancelFunc) {
	return s.conn.Attempt(ctx, attemptTimeout, bucketPrefix+s.cfg.Cluster+"-", "$JS.API.INFO")
}

// attempt puts mine if nothing is there and returns what is there.
func (s *Store) attempt(ctx context.Context, d rescind.Digest, mine []byte, expires rescind.Millis) (held []byte, err error) {
	ctx, cancel := s.request(ctx)
	defer cancel()
	defer func() { err = s.cause(ctx, err) }()
	kv, err := s.bucket(ctx, d)
	if err != nil {
		return nil, err
	}
	_, err = kv.Create(ctx, d.String(), mine, jetstream.KeyTTL(keyTTL(expires)))
	if err == nil {
		return mine, nil
	}
	if !errors.Is(err, jetstream.ErrKeyExists) {
		return nil, err
	}
	entry, err := kv.Get(ctx, d.String())
	if err != nil {
		return nil, err // a replica that is behind may not have it yet
	}
	if len(entry.Value()) != claimSize {
		return nil, errors.New("the claim found in the bucket has another form")
	}
	return entry.Value(), nil
}

// keyTTL is until no verifier accepts the token any more: Create succeeds again
// afterwards. NATS counts in whole seconds.
func keyTTL(expires rescind.Millis) time.Duration {
	left := time.Until(expires.Time().Add(rescind.RetentionMargin))
	return max(left, 0).Truncate(time.Second) + 2*time.Second
}

// lapsed reports whether the token can no longer be accepted anywhere, and its
// key may be gone: whoever won then has won against nobody.
func lapsed(expires rescind.Millis) bool {
	return time.Now().After(expires.Time().Add(rescind.MaxLeeway))
}

func newClaim(use rescind.Use) []byte {
	b := make([]byte, claimSize)
	binary.BigEndian.PutUint64(b, uint64(use.IssuedBefore()))
	rand.Read(b[8:]) // never fails
	return b
}

func useOf(claim []byte) rescind.Use {
	r := rescind.Record{Digest: rescind.MakeDigest(rescind.ScopeJTI, 1, 0), IssuedBefore: rescind.Millis(binary.BigEndian.Uint64(claim))}
	use, _ := r.Use() // the zero Use if somebody else wrote it
	return use
}
