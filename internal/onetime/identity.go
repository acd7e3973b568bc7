package onetime

import (
	"context"
	"fmt"
	"time"

	"rescind"
	"rescind/internal/natslink"
)

// Identity tells the first bucket from any other that has its name: two servers
// that are no cluster have made one each. It is when that was made, in microseconds,
// in the form of a time of issue. It is asked for again with each new connection,
// which may lead to another server, and waits for one.
func (s *Store) Identity(ctx context.Context) (rescind.Millis, error) {
	for {
		id, err := s.identify(ctx)
		if err == nil || fatal(err) {
			return id, err
		}
		if !natslink.Pause(ctx, retryPause) {
			return 0, err
		}
	}
}

func (s *Store) identify(ctx context.Context) (id rescind.Millis, err error) {
	ctx, cancel := s.request(ctx)
	defer cancel()
	defer func() { err = s.cause(ctx, err) }()
	connected := s.conn.Stats().Reconnects
	s.mu.Lock()
	held, asOf := s.identity, s.asOf
	s.mu.Unlock()
	if held != 0 && asOf == connected {
		return held, nil
	}
	kv, err := s.bucket(ctx, rescind.Digest{})
	if err != nil {
		return 0, err
	}
	info, err := s.js.Stream(ctx, "KV_"+kv.Bucket())
	if err != nil {
		return 0, fmt.Errorf("ask for the identity of bucket %s: %w", kv.Bucket(), err)
	}
	id = rescind.Millis(max(info.CachedInfo().Created.UnixNano()/int64(time.Microsecond), 1))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.identity, s.asOf = id, connected
	return id, nil
}
