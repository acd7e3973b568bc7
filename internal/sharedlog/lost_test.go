package sharedlog

import (
	"context"
	"fmt"
	"maps"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"rescind"
	"rescind/internal/store"
	"rescind/internal/store/storetest"
)

// member is a node as the log sees it: what it holds, and what was acknowledged to
// it.
type member struct {
	*Log
	mu    sync.Mutex // guards the two below
	held  storetest.Set
	acked storetest.Set
	own   uint64
	waits atomic.Int64 // commits under way
}

// newMember loads the log and follows it until the test ends.
func newMember(t testing.TB, cfg Config) *member {
	t.Helper()
	l, held := loaded(t, cfg)
	m := &member{Log: l, held: held, acked: storetest.Set{}}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { l.Follow(ctx, m.merge, m.holding, func() {}) })
	t.Cleanup(func() { stop(); running.Wait() })
	return m
}

func (m *member) merge(r rescind.Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held.Join(r)
}

func (m *member) holding(yield func(rescind.Record) bool) {
	m.mu.Lock()
	held := maps.Clone(m.held)
	m.mu.Unlock()
	for _, r := range held {
		if !yield(r) {
			return
		}
	}
}

// revoke commits record n, as cluster does: it is held before.
func (m *member) revoke(ctx context.Context, n uint64) error {
	m.waits.Add(1)
	defer m.waits.Add(-1)
	r := storetest.Record(n, storetest.Far+rescind.Millis(n%3)*rescind.Millis(BucketWidth.Milliseconds()))
	m.merge(r)
	m.own++
	if err := m.Commit(ctx, store.Batch{Records: []rescind.Record{r}, Own: m.own}); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acked.Join(r)
	return nil
}

// site is a server and members of one log.
type site struct {
	t       testing.TB
	process *process
	cfg     Config
	members []*member
	next    uint64
}

func newSite(t testing.TB, members int) *site {
	s := &site{t: t, process: newProcess(t, storeDir(t))}
	s.cfg = config(s.process.url())
	for range members {
		s.members = append(s.members, newMember(t, s.cfg))
	}
	return s
}

// revoke has n more revocations acknowledged, by all members in turn.
func (s *site) revoke(n int) {
	s.t.Helper()
	for range n {
		s.next++
		if err := s.members[s.next%uint64(len(s.members))].revoke(s.t.Context(), s.next); err != nil {
			s.t.Fatal(err)
		}
	}
}

// whole waits until no member misses anything, and then looks whether a newcomer
// finds all that was ever acknowledged to anybody.
func (s *site) whole() {
	s.t.Helper()
	await(s.t, "a whole stream", func() bool {
		for _, m := range s.members {
			if !m.Whole() || troubled(m.Log) != nil {
				return false
			}
		}
		return true
	})
	newcomer, got := loaded(s.t, s.cfg)
	defer newcomer.Close()
	for i, m := range s.members {
		m.mu.Lock()
		for d, r := range m.acked {
			if got[d] != r {
				s.t.Errorf("member %d was told that %v is durable, and a newcomer finds %v", i, r, got[d])
			}
		}
		m.mu.Unlock()
	}
	await(s.t, "marks that agree with the stream", func() bool { storetest.Load(s.t, newcomer); return newcomer.Whole() })
}

// losses is how often the members noticed something, and how many records they
// wrote back.
func (s *site) losses() (noticed, rewritten uint64) {
	for _, m := range s.members {
		noticed += m.Stats().Losses
		rewritten += m.Stats().Rewritten
	}
	return noticed, rewritten
}

// TestServerComesBackOlder: 40 revocations are acknowledged, the server's folder is
// copied, 300 more are acknowledged, and the server starts on the copy. Nothing
// is acknowledged until what is missing is there again, and it is written once.
func TestServerComesBackOlder(t *testing.T) {
	s := newSite(t, 3)
	s.revoke(40)
	s.process.kill()
	older := storeDir(t)
	if err := os.CopyFS(older, os.DirFS(s.process.dir)); err != nil {
		t.Fatal(err)
	}
	s.process.start(t)
	s.revoke(300)
	s.process.kill()
	s.process.dir = older
	s.process.start(t)
	s.revoke(60)
	s.whole()
	if noticed, rewritten := s.losses(); noticed < 3 || rewritten < 250 || rewritten > 420 {
		t.Errorf("noticed %d times, %d records written back; 300 were missing", noticed, rewritten)
	}
}

// TestPurge: an operator purges the stream, all of it, one bucket, or one message.
// It is noticed without any revocation, written back once, and a node that starts
// in between knows that it does not know.
func TestPurge(t *testing.T) {
	for name, purge := range map[string]func(*testing.T, jetstream.Stream, *stream){
		"all": func(t *testing.T, s jetstream.Stream, _ *stream) {
			if err := s.Purge(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		"a bucket": func(t *testing.T, s jetstream.Stream, known *stream) {
			if err := s.Purge(t.Context(), jetstream.WithPurgeSubject(known.bucketSubject(bucketOf(storetest.Far)))); err != nil {
				t.Fatal(err)
			}
		},
		"a message": func(t *testing.T, s jetstream.Stream, known *stream) {
			m, err := s.GetLastMsgForSubject(t.Context(), known.bucketSubject(bucketOf(storetest.Far)))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.DeleteMsg(t.Context(), m.Sequence); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, 2)
			s.revoke(30)
			known := s.members[0].stream.Load()
			await(t, "both have read all", func() bool {
				n := len(s.members[0].reader.expected())
				return n == 3 && len(s.members[1].reader.expected()) == 3
			})
			js := admin(t, s.process.url())
			found, err := js.Stream(t.Context(), s.cfg.withDefaults(t).Stream)
			if err != nil {
				t.Fatal(err)
			}
			purge(t, found, known)
			await(t, "noticed by both", func() bool { n, _ := s.losses(); return n >= 2 })
			s.whole()
			if _, rewritten := s.losses(); rewritten == 0 || rewritten > 30 {
				t.Errorf("%d records were written back; 30 were there", rewritten)
			}
			s.revoke(10)
			s.whole()
		})
	}
}

func (c Config) withDefaults(t testing.TB) Config {
	t.Helper()
	if err := c.validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestNewcomerAfterAPurge: marks of nodes that live claim what the stream does not
// hold. Whoever starts then takes none of their positions, and says so.
func TestNewcomerAfterAPurge(t *testing.T) {
	p := newProcess(t, storeDir(t))
	cfg := config(p.url())
	writer, _ := loaded(t, cfg)
	for n := range uint64(5) {
		storetest.Commit(t, writer, batch(n+1))
	}
	s, err := admin(t, p.url()).Stream(t.Context(), writer.cfg.Stream)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context(), jetstream.WithPurgeSubject(writer.stream.Load().prefix+"r.*")); err != nil {
		t.Fatal(err)
	}
	mark := func() {
		if _, err := writer.mark(t.Context(), writer.stream.Load(), writer.reader.sending(0)); err != nil {
			t.Fatal(err)
		}
	}
	mark()
	newcomer, got := loaded(t, cfg)
	if positions, _ := newcomer.Held(); len(got) != 0 || newcomer.Whole() || len(positions) != 0 {
		t.Errorf("%d records, whole: %v, positions %v", len(got), newcomer.Whole(), positions)
	}
	storetest.Commit(t, newcomer, batch(9)) // what it accepts is durable all the same
}

// TestIDsOfOthers: junk that lies there already under the ID of a message is not an
// acknowledgement of it: not under those that earlier versions used, and not under
// one that somebody has seen.
func TestIDsOfOthers(t *testing.T) {
	p := newProcess(t, storeDir(t))
	cfg := config(p.url())
	l, _ := loaded(t, cfg)
	js := admin(t, p.url())
	s := l.stream.Load()
	for n := range 60 {
		id := fmt.Sprintf("%016x.%d.%d", l.identity.Origin, l.identity.Epoch, n)
		if _, err := js.Publish(t.Context(), s.prefix+"r.1", []byte("junk"), jetstream.WithMsgID(id)); err != nil {
			t.Fatal(err)
		}
	}
	for n := range uint64(50) {
		storetest.Commit(t, l, batch(n+1))
	}
	if _, got := loaded(t, cfg); len(got) != 50 {
		t.Errorf("%d of 50 acknowledged records are there", len(got))
	}

	m := &nats.Msg{Subject: s.bucketSubject(bucketOf(storetest.Far)), Data: plain{}.Seal(entry{origin: 7, at: store.Position{Epoch: 7}, records: batch(99).Records}.append(nil))}
	for subject, data := range map[string][]byte{m.Subject: []byte("junk"), s.prefix + "r.1": m.Data} {
		id := newID()
		if _, err := js.Publish(t.Context(), subject, data, jetstream.WithMsgID(id)); err != nil {
			t.Fatal(err)
		}
		if _, err := l.send(t.Context(), s, m, jetstream.WithMsgID(id)); err == nil {
			t.Errorf("acknowledged, and in the stream is %q in %s", data, subject)
		}
	}
	id := newID()
	for range 2 { // the same message again is what it says
		m.Header = nil
		if _, err := l.send(t.Context(), s, m, jetstream.WithMsgID(id)); err != nil {
			t.Error(err)
		}
	}
}

// TestRollup: no message can remove others, also in a stream that an earlier
// version made, once no node of that version runs.
func TestRollup(t *testing.T) {
	p := newProcess(t, storeDir(t))
	cfg := config(p.url())
	js := admin(t, p.url())
	l := openLog(t, cfg)
	old := l.newStream()
	old.AllowRollup, old.AllowMsgTTL = true, true
	made, err := js.CreateStream(t.Context(), old)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	m := newMember(t, cfg)
	for n := range uint64(20) {
		if err := m.revoke(t.Context(), n+1); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "no roll-up", func() bool {
		info, err := made.Info(t.Context())
		return err == nil && !info.Config.AllowRollup && !m.Stats().AllowsRollup
	})
	wipe := &nats.Msg{Subject: m.stream.Load().prefix + "r.1", Header: nats.Header{jetstream.MsgRollup: {jetstream.MsgRollupAll}}}
	if _, err := js.PublishMsg(t.Context(), wipe); err == nil {
		t.Error("a message that removes all others was taken")
	}
	if _, got := loaded(t, cfg); len(got) != 20 {
		t.Errorf("%d of 20 records are there", len(got))
	}
}

// TestTenant: whoever may publish into the stream repeats, moves and reorders what
// nodes have written, writes where they do and lets junk expire. Nobody takes
// it for a loss, and nobody believes anything that is not so.
func TestTenant(t *testing.T) {
	s := newSite(t, 2)
	js := admin(t, s.process.url())
	name := s.cfg.withDefaults(t).Stream
	made, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	c := made.CachedInfo().Config
	c.AllowMsgTTL = true
	if _, err := js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	prefix := s.members[0].stream.Load().prefix
	stop := make(chan struct{})
	var tenant sync.WaitGroup
	var heard sync.Map
	conn, err := nats.Connect(s.process.url())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	n := atomic.Int64{}
	if _, err := conn.Subscribe(prefix+">", func(m *nats.Msg) {
		if n.Add(1) < 200 {
			heard.Store(n.Load(), nats.Msg{Subject: m.Subject, Data: m.Data})
		}
	}); err != nil {
		t.Fatal(err)
	}
	defer tenant.Wait()
	end := sync.OnceFunc(func() { close(stop) })
	defer end()
	tenant.Go(func() {
		left := 1000 // or the stream is full, which it can do, too
		for ttl := false; ; ttl = !ttl {
			heard.Range(func(_, v any) bool {
				old := v.(nats.Msg)
				if left--; left < 0 {
					return false
				}
				for _, subject := range []string{old.Subject, prefix + "r.1", prefix + "w", prefix + "m." + fmt.Sprintf("%016x", s.members[0].identity.Origin)} {
					m := nats.NewMsg(subject)
					if m.Data = old.Data; ttl {
						m.Header.Set(jetstream.MsgTTLHeader, "1s")
					}
					conn.PublishMsg(m)
				}
				select {
				case <-stop:
					return false
				case <-time.After(time.Millisecond):
					return true
				}
			})
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
	s.revoke(100)
	before := s.members[0].cfg.Steady()
	await(t, "a bound beyond the attack, and junk that has expired", func() bool {
		_, asOf := s.members[0].Held()
		return asOf > before+2*time.Second
	})
	end()
	s.revoke(20)
	s.whole()
	if noticed, rewritten := s.losses(); noticed != 0 || rewritten != 0 {
		t.Errorf("taken for a loss %d times, %d records written back", noticed, rewritten)
	}
	positions, _ := s.members[1].Held()
	if at := positions[s.members[0].identity.Origin]; at.Seq > s.members[0].own {
		t.Errorf("position %+v of a member that has written %d", at, s.members[0].own)
	}
}

// TestReplayedMarks: after the stream was wiped for good, old marks prove nothing
// to a newcomer, in whatever order they come, and nothing in another stream.
func TestReplayedMarks(t *testing.T) {
	r := &reader{}
	r.reset(false)
	at := func(seq uint64) store.Position { return store.Position{Epoch: 1, Seq: seq} }
	r.takeMark(mark{origin: 5, at: at(9), number: 3, written: []tally{{1 << 40, 9}}}, 1000, 1)
	if len(r.positions) != 0 || r.wholeLocked(1) {
		t.Errorf("positions %v, whole: %v", r.positions, r.wholeLocked(1))
	}
	for n := range uint64(9) {
		e := entry{origin: 5, at: at(n + 1), number: n + 1}
		r.takeEntry(e, 1<<40, 1)
		r.takeEntry(e, 1<<40, 1) // twice is not two
	}
	r.takeMark(mark{origin: 5, at: at(10), number: 4, written: []tally{{1 << 40, 10}}}, 1001, 1)
	if len(r.positions) != 0 {
		t.Errorf("positions %v: one message is missing", r.positions)
	}
	r.takeMark(mark{origin: 5, at: at(9), number: 3, written: []tally{{1 << 40, 9}}}, 1002, 1)
	if r.positions[5] != at(9) || !r.wholeLocked(1) {
		t.Errorf("positions %v, whole: %v", r.positions, r.wholeLocked(1))
	}
	r.takeMark(mark{origin: 5, at: at(2), number: 1, written: []tally{{1 << 40, 2}}}, 1003, 1)
	if r.positions[5] != at(9) {
		t.Errorf("position %v after an old mark came again", r.positions[5])
	}
}
