package sharedlog

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"rescind/internal/store"
)

// markLives is how long the mark of a node that is gone stays in the stream, and
// with it what newcomers are told of its position.
const markLives = time.Hour

// mark publishes this node's mark number n, in place of the one before.
func (l *Log) mark(ctx context.Context, s *stream, n uint64) (seq uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	e := entry{origin: l.identity.Origin, at: store.Position{Epoch: l.identity.Epoch, Seq: l.own.Load()}, mark: n}
	m := &nats.Msg{Subject: s.markSubject(l.identity.Origin), Data: l.cfg.Sealer.Seal(e.append(nil)), Header: nats.Header{}}
	m.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	return l.publishMsg(ctx, m, jetstream.WithMsgTTL(markLives))
}

// writeMarks writes one now and then until ctx ends, and so notices at the
// latest a few seconds after it happens that nothing can be written.
func (l *Log) writeMarks(ctx context.Context) {
	every := time.NewTicker(l.cfg.MarkEvery)
	defer every.Stop()
	well := l.cfg.Steady()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		s, now := l.stream.Load(), l.cfg.Steady()
		_, err := l.mark(ctx, s, l.reader.sending(now))
		if err == nil {
			well = now
			l.trouble.set(&l.trouble.rest, nil)
			continue
		}
		if errors.Is(err, jetstream.ErrNoStreamResponse) && l.replaced(ctx, s) {
			err = ErrReplaced
		}
		if ctx.Err() == nil {
			l.trouble.tell(&l.trouble.rest, err, l.cfg.Steady()-well)
		}
	}
}

// replaced reports whether the servers know the stream s no more.
func (l *Log) replaced(ctx context.Context, s *stream) bool {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	found, err := l.js.Stream(ctx, l.cfg.Stream)
	if err != nil {
		return errors.Is(err, jetstream.ErrStreamNotFound)
	}
	prefix, err := l.check(found.CachedInfo().Config)
	return err != nil || prefix != s.prefix
}
