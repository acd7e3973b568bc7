package sharedlog

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// size is how large the stream is, as of the last look and with what has been
// read since.
type size struct {
	mu           sync.Mutex // guards the fields below
	bytes, limit uint64     // a limit of 0: none
	at           time.Duration
}

func (s *size) set(info *jetstream.StreamInfo, now time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes, s.limit, s.at = info.State.Bytes, uint64(max(info.Config.MaxBytes, 0)), now
}

func (s *size) add(bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += uint64(bytes)
}

func (s *size) get() (bytes, limit uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes, s.limit
}

// fits reports whether a message leaves the reserve free that marks need: a full
// stream must not make nodes state no bound. known is when that was looked at.
func (s *size) fits(bytes int) (ok bool, known time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reserve := min(s.limit/16, maxReserve)
	return s.limit == 0 || s.bytes+uint64(bytes)+messageOverhead+reserve <= s.limit, s.at
}

const (
	maxReserve      = 4 << 20
	messageOverhead = 256 // subject, headers and the server's own, at the most
	lookAgain       = time.Second
)

// room returns ErrFull where a message of records would take the room that is kept
// for marks. It looks anew before it says so, but not all the time.
func (l *Log) room(ctx context.Context, s *stream, bytes int) error {
	ok, known := l.size.fits(bytes)
	if ok {
		return nil
	}
	if now := l.cfg.Steady(); now-known >= lookAgain {
		if _, err := l.look(ctx, s); err != nil {
			return err
		}
		if ok, _ = l.size.fits(bytes); ok {
			return nil
		}
	}
	used, limit := l.size.get()
	return fmt.Errorf("%w (it takes %d of %d bytes; a sixteenth is kept for the nodes' marks)", ErrFull, used, limit)
}

// look asks for the stream's size and for its counts by bucket.
func (l *Log) look(ctx context.Context, s *stream) (*jetstream.StreamInfo, error) {
	ctx, cancel := l.attempt(ctx, "STREAM.INFO")
	defer cancel()
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(s.prefix+"r.*"))
	if err != nil {
		return nil, fmt.Errorf("ask for the state of the stream: %w", l.cause(ctx, err))
	}
	l.size.set(info, l.cfg.Steady())
	return info, nil
}
