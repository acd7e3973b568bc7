package sharedlog

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"rescind"
	"rescind/internal/store"
)

// dropTimeout bounds one Drop.
const dropTimeout = 20 * time.Second

// Drop removes the records whose expiry bucket has lapsed as a whole at now, and by
// the server's clock as well: it removes them for all nodes, and a node that is
// alone has nobody else to tell it that its clock is ahead. What it can't remove, a
// later call will, of this node or of another.
func (l *Log) Drop(ctx context.Context, now rescind.Millis) error {
	ctx, done, ok := l.during(ctx)
	if !ok {
		return store.ErrClosed
	}
	defer done()
	s := l.stream.Load()
	if s == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, dropTimeout)
	defer cancel()
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(s.prefix+"r.*"))
	if err != nil {
		return fmt.Errorf("list the buckets of the stream %s: %w", l.cfg.Stream, err)
	}
	if !l.cfg.anyClock {
		now = min(now, rescind.MillisOf(info.TimeStamp))
	}
	for subject := range info.State.Subjects {
		bucket, err := strconv.ParseUint(strings.TrimPrefix(subject, s.prefix+"r."), 10, 63)
		if err != nil || !lapsed(bucket, now) {
			continue // a stranger's stays until the stream is full of them
		}
		if err := s.Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
			return fmt.Errorf("drop lapsed revocations from the stream %s: %w", l.cfg.Stream, err)
		}
		l.reader.dropped(bucket)
	}
	for _, subject := range l.reader.gone(s, l.identity.Origin) {
		if err := s.Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
			return fmt.Errorf("drop the marks of a node that is gone from the stream %s: %w", l.cfg.Stream, err)
		}
	}
	return nil
}

// dropped notes that nothing of a bucket need be in the stream any more.
func (r *reader) dropped(bucket uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.seen, bucket)
}

// gone returns the subjects of the marks of nodes that have not written one for
// so long that nobody needs them.
func (r *reader) gone(s *stream, self uint64) (subjects []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, o := range r.origins {
		if id != self && o.markedAt > 0 && !o.cleared && r.clock > o.markedAt.Add(markLives) {
			o.cleared = true
			subjects = append(subjects, s.markSubject(id))
		}
	}
	return subjects
}

// lapsed reports whether all records of bucket have lapsed at now.
func lapsed(bucket uint64, now rescind.Millis) bool {
	width := uint64(BucketWidth.Milliseconds())
	margin := rescind.Millis(rescind.RetentionMargin.Milliseconds())
	return now > margin && bucket < uint64(now-margin)/width
}
