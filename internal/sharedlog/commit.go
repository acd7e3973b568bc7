package sharedlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"rescind"
	"rescind/internal/natslink"
	"rescind/internal/store"
)

// maxInFlight bounds the messages of one commit that wait for an answer.
const maxInFlight = 16

// Commit makes b's records durable, and then that all own ones up to b.Own are.
// It tries until it has or ctx ends; see Trouble for what is in the way. A batch
// that is too large or holds a record that is none is refused.
//
// Frontiers and Forget are not stored: a node without a disk begins with what the
// stream says of others.
func (l *Log) Commit(ctx context.Context, b store.Batch) error {
	if err := b.Validate(); err != nil {
		return err
	}
	ctx, done, ok := l.during(ctx)
	if !ok {
		return store.ErrClosed
	}
	defer done()
	if len(b.Records) > 0 || b.Own > l.own.Load() {
		if err := l.commit(ctx, b); err != nil {
			return err
		}
	}
	l.counters.commits.Add(1)
	return nil
}

// commit sends the parts of b and tries those again that get no answer. What
// the last one says of our numbers is true once the others are there.
func (l *Log) commit(ctx context.Context, b store.Batch) error {
	s := l.stream.Load()
	if s == nil {
		return errors.New("commit before the log was loaded")
	}
	l.counters.batches.Add(1)
	if err := l.persistAll(ctx, s, l.number(l.split(b.Records)), b.Own, l.unlessLost); err != nil {
		return err
	}
	for own := l.own.Load(); own < b.Own && !l.own.CompareAndSwap(own, b.Own); own = l.own.Load() {
	}
	if len(b.Records) == 0 { // a mark says it
		if err := l.persuade(ctx, l.unlessLost, func(ctx context.Context) error {
			_, err := l.mark(ctx, s, l.reader.sending(l.cfg.Steady()))
			return err
		}); err != nil {
			return err
		}
	}
	l.trouble.set(&l.trouble.commit, nil)
	return nil
}

// persistAll makes parts durable, the last one at the end, with what it says of
// this node's numbers. Parts of one bucket go in order.
func (l *Log) persistAll(ctx context.Context, s *stream, parts []part, own uint64, allowed func() error) error {
	if len(parts) == 0 {
		return nil
	}
	last := &parts[len(parts)-1]
	last.at = store.Position{Epoch: l.identity.Epoch, Seq: own}
	var group errgroup.Group
	group.SetLimit(maxInFlight)
	for rest := parts[:len(parts)-1]; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].bucket == rest[0].bucket {
			n++
		}
		same := rest[:n]
		rest = rest[n:]
		group.Go(func() error {
			for _, p := range same {
				if err := l.persist(ctx, s, p, allowed); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return l.persist(ctx, s, *last, allowed)
}

// number numbers the messages that parts become.
func (l *Log) number(parts []part) []part {
	l.writing.Lock()
	defer l.writing.Unlock()
	for i := range parts {
		l.numbers++
		parts[i].number = l.numbers
	}
	return parts
}

// part is what goes into one message.
type part struct {
	bucket  uint64
	number  uint64
	records []rescind.Record
	at      store.Position
}

// split puts records of one expiry bucket together, so that they can leave
// together.
func (l *Log) split(records []rescind.Record) (parts []part) {
	most := maxRecords
	if payload := l.link.MaxPayload(); payload > 0 {
		most = min(most, max(1, (int(payload)-4096)/rescind.RecordSize))
	}
	sorted := slices.SortedStableFunc(slices.Values(records), func(a, b rescind.Record) int {
		return cmp.Compare(bucketOf(a.ExpiresAt), bucketOf(b.ExpiresAt))
	})
	for _, r := range sorted {
		bucket := bucketOf(r.ExpiresAt)
		if n := len(parts); n == 0 || parts[n-1].bucket != bucket || len(parts[n-1].records) == most {
			parts = append(parts, part{bucket: bucket})
		}
		p := &parts[len(parts)-1]
		p.records = append(p.records, r)
	}
	return parts
}

// persist publishes p until the stream has it. Attempts under one ID are one
// message to the stream, which keeps it once.
func (l *Log) persist(ctx context.Context, s *stream, p part, allowed func() error) error {
	e := entry{origin: l.identity.Origin, at: cmp.Or(p.at, store.Position{Epoch: l.identity.Epoch}), number: p.number, records: p.records}
	m := &nats.Msg{Subject: s.bucketSubject(p.bucket), Data: l.cfg.Sealer.Seal(e.append(nil))}
	id := newID()
	return l.persuade(ctx, allowed, func(ctx context.Context) error {
		if err := l.room(ctx, s, len(m.Data)); err != nil {
			return err
		}
		age, _ := l.history.state()
		m.Header = nil // the client adds to it
		_, err := l.send(ctx, s, m, jetstream.WithMsgID(id))
		switch {
		case errors.Is(err, errDuplicate):
			l.counters.duplicates.Add(1)
			id = newID()
			return err
		case errors.Is(err, ErrLost), errors.Is(err, errSuperseded):
			id = newID() // what was sent may be gone with the rest
			return err
		case err != nil:
			return err
		}
		if now, _ := l.history.state(); now != age {
			id = newID()
			return errSuperseded
		}
		l.writing.Lock()
		defer l.writing.Unlock()
		l.written.add(p.bucket, p.number)
		return nil
	})
}

// persuade tries until it succeeds or ctx ends. allowed says why it may not be
// tried now.
func (l *Log) persuade(ctx context.Context, allowed func() error, try func(context.Context) error) error {
	start := l.cfg.Steady()
	for wait := retryPause; ; wait = min(2*wait, retryMost) {
		err := allowed()
		if err == nil {
			err = try(ctx)
		}
		if err == nil {
			return nil
		}
		l.trouble.tell(&l.trouble.commit, err, l.cfg.Steady()-start)
		if !natslink.Pause(ctx, wait) {
			return fmt.Errorf("write revocations to the stream %s: %w: %w", l.cfg.Stream, context.Cause(ctx), err)
		}
	}
}

// unlessLost lets nothing be acknowledged while the stream lacks something.
func (l *Log) unlessLost() error {
	_, lost := l.history.state()
	return lost
}

// bucketOf returns the bucket of the records that expire at t.
func bucketOf(t rescind.Millis) uint64 {
	return uint64(max(t, 0)) / uint64(BucketWidth.Milliseconds())
}
