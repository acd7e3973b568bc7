package sharedlog

import (
	"context"
	"fmt"
	"hash/maphash"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"rescind"
	"rescind/internal/natslink"
)

// A stream may come to lack what it had acknowledged: its server is started with
// an older copy of its folder, or somebody purges it or deletes messages. Nodes
// notice by the number that comes back with each message, by their own last mark,
// and by the counts of each live bucket. Nothing is acknowledged from then on.
// Each node reads the stream again from the beginning; one of them, that which
// gets a message into the claim's subject first, writes back what it holds and the
// stream does not; the others look whether anything is missing then.

const (
	// claimPatience is how long a node waits for the one that writes back, after the last
	// thing that it wrote.
	claimPatience = 5 * time.Second

	// maxClaims is after how many claims that others got in a node writes all the
	// same: somebody may fill that subject with junk.
	maxClaims = 3
)

// compareCounts compares the stream's counts now and then until ctx ends.
func (l *Log) compareCounts(ctx context.Context) {
	every := time.NewTicker(l.cfg.countEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		s := l.stream.Load()
		if err := l.compareOnce(ctx, s); err != nil && ctx.Err() == nil {
			l.log.Debug("could not compare the counts of the stream of revocations", "error", err)
		}
		if s.rollup.Load() {
			l.forbidRollup(ctx, s)
		}
	}
}

// compareOnce raises trouble if a bucket lacks messages, twice in a row: a server
// that has just become the leader may be about to catch up.
func (l *Log) compareOnce(ctx context.Context, s *stream) error {
	age, lost := l.history.state()
	if lost != nil {
		return nil
	}
	expected := l.reader.expected()
	for turn := range 2 {
		info, err := l.look(ctx, s)
		if err != nil {
			return err
		}
		l.reader.stamped(rescind.MillisOf(info.TimeStamp))
		bucket, missing := lacking(expected, info, s, l.reader.lapsing())
		switch {
		case missing == 0:
			return nil
		case turn == 1:
			l.lose(age, fmt.Errorf("%w (%d messages of the bucket that expires about %s)", ErrLost, missing, endOf(bucket)))
		case !natslink.Pause(ctx, time.Second):
			return context.Cause(ctx)
		}
	}
	return nil
}

func endOf(bucket uint64) string {
	return time.UnixMilli(int64(bucket+1) * BucketWidth.Milliseconds()).UTC().Format(time.RFC3339)
}

// expected returns what the stream must hold at least, from now on.
func (r *reader) expected() map[uint64]uint64 {
	lapsed := r.lapsing()
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.seen, func(bucket, _ uint64) bool { return lapsed(bucket) })
	for id, o := range r.origins {
		if o.counts.forget(lapsed); len(o.counts) == 0 && r.clock > o.markedAt.Add(markLives) {
			delete(r.origins, id)
			delete(r.positions, id)
		}
	}
	return maps.Clone(r.seen)
}

// lacking returns a live bucket of which the stream has too little, and how much.
func lacking(expected map[uint64]uint64, info *jetstream.StreamInfo, s *stream, lapsed func(uint64) bool) (bucket, missing uint64) {
	for b, n := range expected {
		if have := info.State.Subjects[s.bucketSubject(b)]; have < n && !lapsed(b) && n-have > missing {
			bucket, missing = b, n-have
		}
	}
	return bucket, missing
}

// forbidRollup takes back what streams of earlier versions allow: that one message
// of whoever may publish removes all others. Nodes of those versions need it for
// their marks, so it waits until a minute after the last of these.
func (l *Log) forbidRollup(ctx context.Context, s *stream) {
	if l.reader.withEarlier() {
		return
	}
	c := s.CachedInfo().Config
	c.AllowRollup = false
	ctx, cancel := l.attempt(ctx, "STREAM.UPDATE")
	defer cancel()
	if _, err := l.js.UpdateStream(ctx, c); err != nil {
		l.log.Warn("the stream of revocations allows roll-up headers: whoever may publish there can wipe it. It could not be forbidden (nats stream edit --no-allow-rollup)", "stream", l.cfg.Stream, "error", l.cause(ctx, err))
		return
	}
	s.rollup.Store(false)
	l.log.Info("the stream of revocations allows no roll-up headers any more", "stream", l.cfg.Stream)
}

// withEarlier reports whether a node of an earlier version runs.
func (r *reader) withEarlier() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.earlier > 0 && r.clock < r.earlier.Add(time.Minute)
}

// contents is what the stream holds, by fingerprints of 64 bits: eight bytes a
// record, for as long as it takes to find out what is missing.
type contents struct {
	seed    maphash.Seed
	sorted  []uint64
	pending []uint64
}

func (c *contents) fingerprint(r rescind.Record) uint64 {
	var b [rescind.RecordSize]byte
	return maphash.Bytes(c.seed, r.Append(b[:0]))
}

func (c *contents) add(r rescind.Record) { c.pending = append(c.pending, c.fingerprint(r)) }

// lacks returns what of holding is not there and has not lapsed.
func (c *contents) lacks(holding iter.Seq[rescind.Record], now rescind.Millis) (missing []rescind.Record) {
	c.sorted = append(c.sorted, c.pending...)
	c.pending = nil
	slices.Sort(c.sorted)
	for r := range holding {
		if r.Lapsed(now) {
			continue
		}
		if _, there := slices.BinarySearch(c.sorted, c.fingerprint(r)); !there {
			missing = append(missing, r)
		}
	}
	return missing
}

// recover reads the stream from the beginning and returns once it lacks nothing
// that this node holds, or ctx ends.
func (l *Log) recover(ctx context.Context, age uint64, handle func(entry), holding iter.Seq[rescind.Record], held func()) error {
	s := l.stream.Load()
	l.reader.reset(true)
	there := &contents{seed: maphash.MakeSeed()}
	read := func(e entry) {
		handle(e)
		for _, r := range e.records {
			there.add(r)
		}
	}
	if err := l.readToEnd(ctx, read); err != nil {
		return err
	}
	own := uint64(0) // number of this node's claim
	for claims := 0; ; {
		missing := there.lacks(holding, l.reader.now())
		if len(missing) == 0 {
			break
		}
		// Who has read another's claim, and not yet all that it writes back, waits.
		won := false
		if !l.reader.claimedLately(own) || claims == maxClaims {
			var err error
			if own, err = l.claim(ctx, s); err != nil {
				return err
			}
			won = own > 0
		}
		if claims++; !won && claims <= maxClaims {
			if err := l.watchOther(ctx, s, read); err != nil {
				return err
			}
			continue
		}
		l.log.Warn("writing back what the stream of revocations has lost", "records", len(missing))
		if err := l.persistAll(ctx, s, l.number(l.split(missing)), l.own.Load(), func() error { return ctx.Err() }); err != nil {
			return err
		}
		l.counters.rewritten.Add(uint64(len(missing)))
		if err := l.readToEnd(ctx, read); err != nil {
			return err
		}
	}
	l.mended(age)
	held()
	return nil
}

func (r *reader) now() rescind.Millis {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.clock
}

// mended ends the trouble: what this node has written is from now on what the
// stream has of it.
func (l *Log) mended(age uint64) {
	l.writing.Lock()
	l.written = l.reader.judge(l.identity.Origin)
	l.writing.Unlock()
	if !l.history.mend(age) {
		return
	}
	l.trouble.set(&l.trouble.lost, nil)
	l.log.Warn("the stream of revocations has again what this node holds", "stream", l.cfg.Stream)
}

// judge returns what was read of this node, and has its marks compared with what
// is read from now on.
func (r *reader) judge(self uint64) counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recovering, r.judged = false, r.marks
	o := r.ofLocked(self)
	o.missing = false
	return maps.Clone(o.counts)
}

// claim returns the number of this node's claim if it is the one that writes back: of
// those that have read the claim's subject up to the same message, one gets the next
// into it. The others get 0.
func (l *Log) claim(ctx context.Context, s *stream) (own uint64, err error) {
	m := &nats.Msg{Subject: s.prefix + "w", Data: l.sealMark(s, l.reader.sending(l.cfg.Steady()))}
	own, err = l.send(ctx, s, m, jetstream.WithExpectLastSequencePerSubject(l.reader.lastClaim()))
	if wrongLast(err) {
		return 0, nil
	}
	return own, err
}

// claimedLately reports whether the last claim that was read is not own, and so young
// that whoever made it may be writing.
func (r *reader) claimedLately(own uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.claim > own && r.clock < r.claimAt.Add(claimPatience)
}

func (r *reader) lastClaim() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.claim
}

// watchOther reads on while another writes back, until nothing has come for some
// time.
func (l *Log) watchOther(ctx context.Context, s *stream, read func(entry)) error {
	quiet := time.Now().Add(claimPatience)
	for time.Now().Before(quiet) {
		before := l.reader.next
		records := false
		if err := l.readToEnd(ctx, func(e entry) { records = records || len(e.records) > 0; read(e) }); err != nil {
			return err
		}
		if records && l.reader.next > before {
			quiet = time.Now().Add(claimPatience)
		}
		if !natslink.Pause(ctx, retryMost/4) {
			return context.Cause(ctx)
		}
	}
	return nil
}
