package sharedlog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"strconv"
	"strings"
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

// reader is how far the stream has been read, and what that has shown.
type reader struct {
	next uint64 // the first number in the stream that has not been read

	mu         sync.Mutex                // guards the fields below
	positions  map[uint64]store.Position // of the origins whose last mark agrees with what was read
	origins    map[uint64]*origin
	seen       map[uint64]uint64 // by bucket, the messages that must still be there
	clock      rescind.Millis    // the latest time that a server has stamped
	earlier    rescind.Millis    // when a node of an earlier version wrote a mark; 0: none did
	claim      uint64            // number of the last message that says who writes back
	claimAt    rescind.Millis    // when the server got it
	batches    uint64            // messages of records that were read since the start
	marks      uint64            // that this node has sent, counting from 1
	recovering bool              // what the stream lacks is about to be written back
	judged     uint64            // its marks up to here are not compared with what was read
	sentAt     [64]time.Duration // of mark n, at n modulo the length
	asOf       time.Duration     // all that was acknowledged by then has been read
}

// origin is what was read of one.
type origin struct {
	counts   counts
	markedAt rescind.Millis // when it wrote its last mark; 0: it has written none
	cleared  bool           // its marks have been removed from the stream
	missing  bool           // that mark tells of messages that were not there to be read
}

// reset forgets what was read, to read again from the beginning; recovering says
// that the stream has been found to lack something.
func (r *reader) reset(recovering bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recovering = recovering
	r.next = 1
	r.positions, r.origins, r.seen = map[uint64]store.Position{}, map[uint64]*origin{}, map[uint64]uint64{}
	r.claim, r.claimAt, r.earlier = 0, 0, 0
}

// ofLocked returns what was read of an origin.
func (r *reader) ofLocked(id uint64) *origin {
	o := r.origins[id]
	if o == nil {
		o = &origin{counts: counts{}}
		r.origins[id] = o
	}
	return o
}

// lapsing returns who tells whether a bucket may have left the stream because its
// records have lapsed: by the servers' clock, since nobody's counts for more.
func (r *reader) lapsing() func(bucket uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lapsingLocked()
}

func (r *reader) lapsingLocked() func(bucket uint64) bool {
	at := r.clock.Add(serverSkew)
	return func(bucket uint64) bool { return lapsed(bucket, at) }
}

// serverSkew is by how much one server's clock may be ahead of another's.
const serverSkew = time.Minute

// sending returns the number of the mark that is sent now.
func (r *reader) sending(now time.Duration) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marks++
	r.sentAt[r.marks%uint64(len(r.sentAt))] = now
	return r.marks
}

// counted notes a message in the subject of a bucket. Only the buckets count that
// somebody of the cluster has written into; what expires by itself never does.
func (r *reader) counted(bucket uint64, ours bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batches++
	if _, known := r.seen[bucket]; known || ours {
		r.seen[bucket]++
	}
}

// takeEntry notes what e says, after its records have been put in force.
func (r *reader) takeEntry(e entry, bucket, self uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.ofLocked(e.origin)
	if e.number > 0 {
		o.counts.add(bucket, e.number)
	}
	if known, met := r.positions[e.origin]; met && e.origin != self && !before(e.at, known) {
		r.positions[e.origin] = e.at
	}
}

// takeMark notes what m says, and reports whether that is worth telling at once,
// and whether this node's own mark tells of messages that are not there.
func (r *reader) takeMark(m mark, at rescind.Millis, self uint64) (news, lost bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.ofLocked(m.origin)
	if at < o.markedAt {
		return false, false
	}
	o.markedAt = at
	o.missing = !o.counts.cover(m.written, r.lapsingLocked())
	if m.origin == self {
		switch {
		case r.recovering:
			return false, false
		case o.missing && m.number > r.judged:
			return false, true
		}
		n := uint64(len(r.sentAt))
		if m.number > r.marks || m.number+n <= r.marks || !r.wholeLocked(self) {
			return false, false
		}
		r.asOf = max(r.asOf, r.sentAt[m.number%n])
		return true, false
	}
	known, met := r.positions[m.origin]
	switch {
	case o.missing:
		delete(r.positions, m.origin)
		return met, false
	case !met || !before(m.at, known):
		r.positions[m.origin] = m.at
	}
	r.limitLocked()
	return !met, false
}

// before reports whether a lies before b.
func before(a, b store.Position) bool {
	return a.Epoch < b.Epoch || a.Epoch == b.Epoch && a.Seq < b.Seq
}

// limitLocked forgets the eldest of too many.
func (r *reader) limitLocked() {
	if len(r.positions) <= maxPositions {
		return
	}
	eldest, epoch := uint64(0), ^uint64(0)
	for o, at := range r.positions {
		if at.Epoch < epoch {
			eldest, epoch = o, at.Epoch
		}
	}
	delete(r.positions, eldest)
}

// wholeLocked reports whether no node that lives tells of messages that are not
// there: then what was read is all that was acknowledged.
func (r *reader) wholeLocked(self uint64) bool {
	for id, o := range r.origins {
		if id != self && o.missing && r.clock < o.markedAt.Add(alive) {
			return false
		}
	}
	return true
}

// alive is for how long after its last mark a node is waited for.
const alive = 10 * time.Second

// Held returns up to where the streams of other origins are held by whoever has
// read this log as far as this node, and as of when that is all that any of
// them had acknowledged, on Config.Steady. An origin that is listed here writes
// all its records into the log.
func (l *Log) Held() (positions map[uint64]store.Position, asOf time.Duration) {
	l.reader.mu.Lock()
	defer l.reader.mu.Unlock()
	return maps.Clone(l.reader.positions), l.reader.asOf
}

// Whole reports whether the stream has all that this node and those that live say
// they have written. Until then nobody knows what else was acknowledged.
func (l *Log) Whole() bool {
	if _, lost := l.history.state(); lost != nil {
		return false
	}
	l.reader.mu.Lock()
	defer l.reader.mu.Unlock()
	return l.reader.wholeLocked(l.identity.Origin)
}

// Blank reports whether nobody else has left anything in the stream.
func (l *Log) Blank() bool {
	l.reader.mu.Lock()
	defer l.reader.mu.Unlock()
	for id := range l.reader.origins {
		if id != l.identity.Origin {
			return false
		}
	}
	return len(l.reader.seen) == 0
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
	l.reader.reset(false)
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
	end, err := l.end(ctx, s)
	if err != nil {
		return err
	}
	if end < l.reader.next {
		return nil
	}
	return l.read(ctx, s, func(seq uint64, e entry) (more bool) {
		handle(e)
		return seq < end
	}, func() {})
}

// end returns the number of the last message in the stream, as of some moment
// after the call. A mark of our own is surely behind all that was acknowledged
// before; where it finds no room, the leader is asked.
func (l *Log) end(ctx context.Context, s *stream) (seq uint64, err error) {
	seq, err = l.mark(ctx, s, l.reader.sending(l.cfg.Steady()))
	if !errors.Is(err, ErrFull) {
		return seq, err
	}
	ctx, cancel := l.attempt(ctx, "STREAM.MSG.GET")
	defer cancel()
	last, err := s.GetLastMsgForSubject(ctx, s.prefix+">")
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("ask for the end of the stream: %w", l.cause(ctx, err))
	}
	return last.Sequence, nil
}

// Follow goes on where Load has ended, until ctx ends or the log is closed: it
// hands what others write to merge, and calls held when there is news for
// whoever asks Held. Both are called by one goroutine at a time. When the stream
// is found to lack something, holding yields what this node holds.
func (l *Log) Follow(ctx context.Context, merge func(rescind.Record), holding iter.Seq[rescind.Record], held func()) {
	ctx, done, ok := l.during(ctx)
	if !ok {
		return
	}
	defer done()
	var others sync.WaitGroup
	defer others.Wait()
	others.Go(func() { l.writeMarks(ctx) })
	others.Go(func() { l.compareCounts(ctx) })
	for ctx.Err() == nil {
		err := l.followOn(ctx, merge, holding, held)
		l.log.Debug("following the stream of revocations begins again", "error", err)
		natslink.Pause(ctx, retryPause)
	}
}

// followOn reads on until something is in the way.
func (l *Log) followOn(ctx context.Context, merge func(rescind.Record), holding iter.Seq[rescind.Record], held func()) error {
	ctx, age, done, lost := l.history.watch(ctx)
	defer done()
	handle := func(e entry) {
		if e.origin != l.identity.Origin {
			for _, r := range e.records {
				merge(r)
			}
		}
	}
	if lost != nil {
		return l.recover(ctx, age, handle, holding, held)
	}
	return l.read(ctx, l.stream.Load(), func(_ uint64, e entry) (more bool) { handle(e); return true }, held)
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
		seq := meta.Sequence.Stream
		l.reader.next = seq + 1
		l.history.saw(seq)
		l.size.add(len(m.Data()) + messageOverhead/2)
		if !l.take(s, m, seq, rescind.MillisOf(meta.Timestamp), handle, held) {
			return nil
		}
	}
}

// take takes one message.
func (l *Log) take(s *stream, m jetstream.Msg, seq uint64, at rescind.Millis, handle func(uint64, entry) bool, held func()) (more bool) {
	l.reader.stamped(at)
	kind := strings.TrimPrefix(m.Subject(), s.prefix)
	if text, records := strings.CutPrefix(kind, "r."); records {
		return l.takeRecords(m, text, seq, handle)
	}
	mark, err := l.markIn(s, m)
	switch {
	case err != nil:
		l.skip(m, err)
	case kind == "w":
		l.reader.claimed(seq, at)
	case m.Subject() != s.markSubject(mark.origin):
		l.skip(m, errMoved)
	default:
		news, lost := l.reader.takeMark(mark, at, l.identity.Origin)
		if lost {
			age, _ := l.history.state()
			l.lose(age, ErrLost)
		}
		if news {
			held()
		}
	}
	return handle(seq, entry{})
}

// errMoved: the message is ours and stands where none of us has put it.
var errMoved = errors.New("a message of this cluster that somebody has copied to another subject")

// takeRecords takes a message of records in the subject of a bucket.
func (l *Log) takeRecords(m jetstream.Msg, text string, seq uint64, handle func(uint64, entry) bool) (more bool) {
	e, err := l.entryIn(m)
	bucket, one := e.bucket()
	if err == nil && (!one || text != strconv.FormatUint(bucket, 10)) {
		e, err = entry{}, errMoved
	}
	if n, bad := strconv.ParseUint(text, 10, 63); bad == nil && m.Headers().Get(jetstream.MsgTTLHeader) == "" {
		l.reader.counted(n, err == nil)
	}
	if err != nil {
		l.skip(m, err)
		return handle(seq, entry{})
	}
	more = handle(seq, e)
	l.reader.takeEntry(e, bucket, l.identity.Origin)
	return more
}

func (r *reader) stamped(at rescind.Millis) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock = max(r.clock, at)
}

func (r *reader) claimed(seq uint64, at rescind.Millis) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.claim, r.claimAt = seq, at
}

// consume begins to fetch from the first unread message on.
func (l *Log) consume(ctx context.Context, s *stream) (messages jetstream.MessagesContext, stop func(), err error) {
	attempt, cancel := l.attempt(ctx, "CONSUMER.")
	defer cancel()
	consumer, err := s.OrderedConsumer(attempt, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{s.prefix + ">"}, // a stream of the same name made anew has none of these
		DeliverPolicy:  jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:    l.reader.next,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("begin to read: %w", l.cause(attempt, err))
	}
	messages, err = consumer.Messages(jetstream.PullMaxMessagesWithBytesLimit(1024, maxFetched))
	if err != nil {
		return nil, nil, fmt.Errorf("begin to read: %w", l.cause(attempt, err))
	}
	ended := context.AfterFunc(ctx, messages.Stop)
	return messages, func() { ended(); messages.Stop() }, nil
}

// entryIn returns the records in m.
func (l *Log) entryIn(m jetstream.Msg) (entry, error) {
	plain, err := l.cfg.Sealer.Open(m.Data())
	if err != nil {
		return entry{}, err
	}
	return entryOf(plain)
}

// markIn returns the mark in m.
func (l *Log) markIn(s *stream, m jetstream.Msg) (mark, error) {
	plain, err := l.cfg.Sealer.Open(m.Data())
	if err != nil {
		return mark{}, err
	}
	found, err := markOf(plain)
	switch {
	case err == nil && found.stream != s.id:
		return mark{}, errMoved
	case err != nil:
		if _, earlier := entryOf(plain); errors.Is(earlier, errEarlier) {
			return mark{}, errEarlier
		}
	}
	return found, err
}

// skip counts a message that says nothing to this node, and notes one of an
// earlier version.
func (l *Log) skip(m jetstream.Msg, err error) {
	if errors.Is(err, errEarlier) {
		l.reader.metEarlier()
		return
	}
	if n := l.counters.skipped.Add(1); n&(n-1) == 0 { // 1, 2, 4, 8, ...: a bounded rate
		l.log.Error("a message in the stream of revocations can't be read and is skipped: nobody of this cluster wrote it there, or it is damaged", "subject", m.Subject(), "error", err, "so_far", n)
	}
}

func (r *reader) metEarlier() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.earlier = r.clock
}
