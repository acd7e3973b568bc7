package sharedlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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
	parts := l.split(b.Records)
	if len(parts) == 0 {
		parts = []part{{}}
	}
	last := &parts[len(parts)-1]
	last.at = store.Position{Epoch: l.identity.Epoch, Seq: b.Own}
	batch := l.counters.batches.Add(1)
	var group errgroup.Group
	group.SetLimit(maxInFlight)
	for i, p := range parts[:len(parts)-1] {
		group.Go(func() error { return l.persist(ctx, s, p, fmt.Sprint(batch, ".", i)) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := l.persist(ctx, s, *last, fmt.Sprint(batch)); err != nil {
		return err
	}
	for own := l.own.Load(); own < b.Own && !l.own.CompareAndSwap(own, b.Own); own = l.own.Load() {
	}
	l.trouble.set(&l.trouble.commit, nil)
	return nil
}

// part is what goes into one message.
type part struct {
	bucket  uint64
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

// persist publishes p until the stream has it. All attempts are one message to
// the stream, which keeps it once.
func (l *Log) persist(ctx context.Context, s *stream, p part, id string) error {
	subject := s.bucketSubject(p.bucket)
	if len(p.records) == 0 {
		subject = s.markSubject(l.identity.Origin)
	}
	e := entry{origin: l.identity.Origin, at: cmp.Or(p.at, store.Position{Epoch: l.identity.Epoch}), records: p.records}
	sealed := l.cfg.Sealer.Seal(e.append(nil))
	start := l.cfg.Steady()
	for wait := retryPause; ; wait = min(2*wait, retryMost) {
		_, err := l.publish(ctx, subject, sealed, jetstream.WithMsgID(fmt.Sprintf("%016x.%d.%s", l.identity.Origin, l.identity.Epoch, id)))
		if err == nil {
			return nil
		}
		l.trouble.tell(&l.trouble.commit, err, l.cfg.Steady()-start)
		if !natslink.Pause(ctx, wait) {
			return fmt.Errorf("write revocations to the stream %s: %w: %w", l.cfg.Stream, context.Cause(ctx), err)
		}
	}
}

// publish sends one message and returns its number in the stream.
func (l *Log) publish(ctx context.Context, subject string, sealed []byte, opts ...jetstream.PublishOpt) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return l.publishMsg(ctx, &nats.Msg{Subject: subject, Data: sealed}, opts...)
}

func (l *Log) publishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (uint64, error) {
	start := time.Now()
	ack, err := l.js.PublishMsg(ctx, m, append(opts, jetstream.WithExpectStream(l.cfg.Stream))...)
	if err != nil {
		return 0, refusal(err)
	}
	l.published.Observe(time.Since(start))
	return ack.Sequence, nil
}

// refusal tells a full stream from whatever else.
func refusal(err error) error {
	const storeFailed, insufficientStorage = 10077, 10047
	var api *jetstream.APIError
	if errors.As(err, &api) && (api.ErrorCode == storeFailed || api.ErrorCode == insufficientStorage) {
		return fmt.Errorf("%w (%s)", ErrFull, api.Description)
	}
	return err
}

// bucketOf returns the bucket of the records that expire at t.
func bucketOf(t rescind.Millis) uint64 {
	return uint64(max(t, 0)) / uint64(BucketWidth.Milliseconds())
}
