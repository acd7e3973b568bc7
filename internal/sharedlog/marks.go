package sharedlog

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"rescind/internal/store"
)

const (
	// markLives is how long the marks of a node that is gone stay in the stream, and
	// with them what newcomers are told of its position.
	markLives = time.Hour

	// marksKept is about how many marks of a node are in the stream. It removes the
	// earlier ones itself; the stream allows nobody to do so with a message.
	marksKept = 16
)

// mark publishes this node's mark number n. If the one before is not the last of
// its subject any more, somebody wrote there or the stream has become an older
// one.
func (l *Log) mark(ctx context.Context, s *stream, n uint64) (seq uint64, err error) {
	select {
	case l.marking <- struct{}{}: // one after the other, as each removes earlier ones
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	defer func() { <-l.marking }()
	age, last := l.history.lastMark()
	m := &nats.Msg{Subject: s.markSubject(l.identity.Origin), Data: l.sealMark(s, n)}
	var opts []jetstream.PublishOpt
	if last.seq > 0 {
		opts = append(opts, jetstream.WithExpectLastSequencePerSubject(last.seq))
	}
	seq, err = l.send(ctx, s, m, opts...)
	if wrongLast(err) {
		err = l.holds(ctx, s, last.seq, m.Subject, last.sealed)
		if errors.Is(err, errDuplicate) {
			l.lose(age, ErrLost)
			return 0, ErrLost
		}
		if err == nil {
			seq, err = l.send(ctx, s, &nats.Msg{Subject: m.Subject, Data: m.Data})
		}
	}
	if err != nil {
		return 0, err
	}
	l.history.marked(age, ownMark{seq, m.Data})
	if n%marksKept == 0 {
		l.removeMarks(ctx, s, m.Subject, seq)
	}
	return seq, nil
}

// sealMark returns what this node says of itself now.
func (l *Log) sealMark(s *stream, n uint64) []byte {
	l.writing.Lock()
	m := mark{stream: s.id, origin: l.identity.Origin, at: store.Position{Epoch: l.identity.Epoch, Seq: l.own.Load()}, number: n}
	l.written.forget(l.reader.lapsing())
	m.written = l.written.tallies()
	l.writing.Unlock()
	return l.cfg.Sealer.Seal(m.append(nil))
}

// removeMarks removes the marks of a subject from before message seq. Where it
// fails it will succeed later; who may not is told by Drop, too.
func (l *Log) removeMarks(ctx context.Context, s *stream, subject string, seq uint64) {
	ctx, cancel := l.attempt(ctx, "STREAM.PURGE")
	defer cancel()
	if err := s.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(seq)); err != nil {
		l.log.Debug("could not remove earlier marks from the stream of revocations", "error", l.cause(ctx, err))
	}
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
	ctx, cancel := l.attempt(ctx, "STREAM.INFO")
	defer cancel()
	found, err := l.js.Stream(ctx, l.cfg.Stream)
	if err != nil {
		return errors.Is(err, jetstream.ErrStreamNotFound)
	}
	now, err := l.check(found)
	return err != nil || now.prefix != s.prefix
}

// idOf returns the number that is in a stream's subjects, in hexadecimal.
func idOf(text string) (id uint64, ok bool) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 8 {
		return 0, false
	}
	for _, x := range b {
		id = id<<8 | uint64(x)
	}
	return id, true
}
