package sharedlog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"rescind"
	"rescind/internal/natslink"
	"rescind/internal/store"
)

const (
	// maxFetched bounds, in bytes, what has been fetched and not been read.
	maxFetched = 8 << 20

	// silence is after how long without a message reading begins again. Marks come
	// more often, so either the consumer is gone, with the server that had it, or
	// nothing can be written.
	silence = 5 * time.Second

	// maxPositions bounds the origins whose positions are remembered; beyond,
	// the eldest go, which costs a newcomer a transfer from a peer at the worst.
	maxPositions = 512
)

// reader is how far the stream has been read.
type reader struct {
	next uint64 // the first number in the stream that has not been read

	mu        sync.Mutex                // guards the fields below
	positions map[uint64]store.Position // of the origins that have left a mark
	marks     uint64                    // that this node has sent, counting from 1
	sentAt    [64]time.Duration         // of mark n, at n modulo the length
	asOf      time.Duration             // all that was acknowledged by then has been read
}

// sending returns the number of the mark that is sent now.
func (r *reader) sending(now time.Duration) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marks++
	r.sentAt[r.marks%uint64(len(r.sentAt))] = now
	return r.marks
}

// take notes what e says of positions, and reports whether that is worth telling
// at once: a mark of this node's, or the first of another.
func (r *reader) take(e entry, self uint64) (news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.origin == self {
		if n := uint64(len(r.sentAt)); e.mark > 0 && e.mark <= r.marks && e.mark+n > r.marks {
			r.asOf = max(r.asOf, r.sentAt[e.mark%n])
			return true
		}
		return false
	}
	known, met := r.positions[e.origin]
	if (met || e.mark > 0) && (known.Epoch < e.at.Epoch || known.Epoch == e.at.Epoch && known.Seq <= e.at.Seq) {
		r.positions[e.origin] = e.at
	}
	if len(r.positions) > maxPositions {
		eldest, epoch := uint64(0), ^uint64(0)
		for o, at := range r.positions {
			if at.Epoch < epoch {
				eldest, epoch = o, at.Epoch
			}
		}
		delete(r.positions, eldest)
	}
	return !met && e.mark > 0
}

// Held returns up to where the streams of other origins are held by whoever has
// read this log as far as this node, and as of when that is all that any of
// them had acknowledged, on Config.Steady. An origin that is listed here writes
// all its records into the log.
func (l *Log) Held() (positions map[uint64]store.Position, asOf time.Duration) {
	l.reader.mu.Lock()
	defer l.reader.mu.Unlock()
	return maps.Clone(l.reader.positions), l.reader.asOf
}

// Load yields every record that has not lapsed at now and was acknowledged before
// the call, as often as it was written. It waits for the servers until ctx ends.
// yield must not call the log. Frontiers are told by Held.
func (l *Log) Load(ctx context.Context, now rescind.Millis, yield func(rescind.Record)) ([]store.Frontier, error) {
	ctx, done, ok := l.during(ctx)
	if !ok {
		return nil, store.ErrClosed
	}
	defer done()
	l.reader.next = 1
	err := l.load(ctx, func(e entry) {
		for _, r := range e.records {
			if !r.Lapsed(now) {
				yield(r)
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read the stream %s: %w", l.cfg.Stream, err)
	}
	l.trouble.set(&l.trouble.rest, nil)
	return nil, nil
}

func (l *Log) load(ctx context.Context, handle func(entry)) error {
	for wait := retryPause; ; wait = min(2*wait, retryMost) {
		err := l.readToEnd(ctx, handle)
		if err == nil || fatal(err) {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		l.trouble.set(&l.trouble.rest, err)
		if !natslink.Pause(ctx, wait) {
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// readToEnd opens the stream if need be and reads on up to its present end.
func (l *Log) readToEnd(ctx context.Context, handle func(entry)) error {
	s := l.stream.Load()
	if s == nil {
		var err error
		if s, err = l.open(ctx); err != nil {
			return err
		}
		l.stream.Store(s)
	}
	end, sent, err := l.end(ctx, s)
	if err != nil {
		return err
	}
	if end >= l.reader.next {
		err = l.read(ctx, s, func(seq uint64, e entry) (more bool) {
			handle(e)
			return seq < end
		}, func() {})
	}
	if err != nil {
		return err
	}
	l.reader.mu.Lock()
	defer l.reader.mu.Unlock()
	l.reader.asOf = max(l.reader.asOf, sent)
	return nil
}

// end returns the number of the last message in the stream, as of some moment
// after sent. A mark of our own is surely behind all that was acknowledged
// before; where it finds no room, the leader is asked.
func (l *Log) end(ctx context.Context, s *stream) (seq uint64, sent time.Duration, err error) {
	sent = l.cfg.Steady()
	seq, err = l.mark(ctx, s, l.reader.sending(sent))
	if !errors.Is(err, ErrFull) {
		return seq, sent, err
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	last, err := s.GetLastMsgForSubject(ctx, s.prefix+">")
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return 0, sent, nil
	case err != nil:
		return 0, sent, fmt.Errorf("ask for the end of the stream: %w", err)
	}
	return last.Sequence, sent, nil
}

// Follow goes on where Load has ended, until ctx ends or the log is closed: it
// hands what others write to merge, and calls held when there is news for
// whoever asks Held. Both are called by one goroutine at a time.
func (l *Log) Follow(ctx context.Context, merge func(rescind.Record), held func()) {
	ctx, done, ok := l.during(ctx)
	if !ok {
		return
	}
	defer done()
	var marks sync.WaitGroup
	defer marks.Wait()
	marks.Go(func() { l.writeMarks(ctx) })
	for ctx.Err() == nil {
		err := l.read(ctx, l.stream.Load(), func(_ uint64, e entry) (more bool) {
			if e.origin != l.identity.Origin {
				for _, r := range e.records {
					merge(r)
				}
			}
			return true
		}, held)
		l.log.Debug("following the stream of revocations begins again", "error", err)
		natslink.Pause(ctx, retryPause)
	}
}

// read hands the messages of s from the first unread one on to handle until that
// wants no more. Positions move, and held is told of it, after handle has put what
// they stand for in force.
func (l *Log) read(ctx context.Context, s *stream, handle func(seq uint64, e entry) (more bool), held func()) error {
	messages, stop, err := l.consume(ctx, s)
	if err != nil {
		return err
	}
	defer stop()
	for {
		m, err := messages.Next(jetstream.NextMaxWait(silence))
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("wait for a message: %w", err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("a message from elsewhere: %w", err)
		}
		l.reader.next = meta.Sequence.Stream + 1
		e, readable := l.entryIn(m)
		more := handle(meta.Sequence.Stream, e)
		if readable && l.reader.take(e, l.identity.Origin) {
			held()
		}
		if !more {
			return nil
		}
	}
}

// consume begins to fetch from the first unread message on.
func (l *Log) consume(ctx context.Context, s *stream) (messages jetstream.MessagesContext, stop func(), err error) {
	attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	consumer, err := s.OrderedConsumer(attempt, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{s.prefix + ">"}, // a stream of the same name made anew has none of these
		DeliverPolicy:  jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:    l.reader.next,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("begin to read: %w", err)
	}
	messages, err = consumer.Messages(jetstream.PullMaxMessagesWithBytesLimit(1024, maxFetched))
	if err != nil {
		return nil, nil, fmt.Errorf("begin to read: %w", err)
	}
	ended := context.AfterFunc(ctx, messages.Stop)
	return messages, func() { ended(); messages.Stop() }, nil
}

// entryIn returns what is in m, or an entry without anything where that can't be
// read.
func (l *Log) entryIn(m jetstream.Msg) (e entry, readable bool) {
	plain, err := l.cfg.Sealer.Open(m.Data())
	if err == nil {
		e, err = entryOf(plain)
	}
	if err != nil {
		if n := l.counters.skipped.Add(1); n&(n-1) == 0 { // 1, 2, 4, 8, ...: a bounded rate
			l.log.Error("a message in the stream of revocations can't be read and is skipped: nobody of this cluster wrote it, or it is damaged", "subject", m.Subject(), "error", err, "so_far", n)
		}
		return entry{}, false
	}
	return e, true
}
