package sharedlog

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"rescind"
	"rescind/internal/natstest"
	"rescind/internal/store"
	"rescind/internal/store/storetest"
)

func batch(n uint64) store.Batch {
	return store.Batch{Records: []rescind.Record{storetest.Record(n, storetest.Far)}, Own: n}
}

// loaded opens the log and loads it.
func loaded(t testing.TB, cfg Config) (*Log, storetest.Set) {
	t.Helper()
	l := openLog(t, cfg)
	return l, storetest.Load(t, l)
}

// admin is a client that may do to the stream what it likes.
func admin(t testing.TB, url string) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// messages is how many of records the stream holds.
func messages(t testing.TB, js jetstream.JetStream, name string) (n uint64) {
	t.Helper()
	s, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Info(t.Context(), jetstream.WithSubjectFilter("rescind.*.log.*.r.*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range info.State.Subjects {
		n += k
	}
	return n
}

func troubled(l *Log) error {
	_, err := l.Trouble()
	return err
}

// TestServerDownAndBack: without a server a load waits and says why, a commit
// likewise, and both are done when it is there.
func TestServerDownAndBack(t *testing.T) {
	t.Parallel()
	p := newProcess(t, storeDir(t))
	p.kill()
	l := openLog(t, config(p.url()))
	done := make(chan error, 1)
	load := func() { _, err := l.Load(t.Context(), 0, func(rescind.Record) {}); done <- err }
	go load()
	await(t, "trouble", func() bool { return troubled(l) != nil })
	p.start(t)
	if err := <-done; err != nil || troubled(l) != nil {
		t.Fatalf("load: %v; trouble: %v", err, troubled(l))
	}
	p.kill()
	go func() { done <- l.Commit(t.Context(), batch(1)) }()
	await(t, "trouble", func() bool { return troubled(l) != nil })
	select {
	case err := <-done:
		t.Fatalf("a commit without a server returned %v", err)
	default:
	}
	p.start(t)
	if err := <-done; err != nil || troubled(l) != nil {
		t.Fatalf("commit: %v; trouble: %v", err, troubled(l))
	}
	if _, got := loaded(t, config(p.url())); len(got) != 1 {
		t.Errorf("%v", got)
	}

	p.kill() // whoever waits can end it
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- l.Commit(ctx, batch(2)) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("commit: %v", err)
	}
	go func() { done <- l.Commit(t.Context(), batch(3)) }()
	await(t, "the commit under way", func() bool { return l.counters.batches.Load() == 3 })
	l.Close()
	if err := <-done; !errors.Is(err, store.ErrClosed) {
		t.Errorf("commit: %v", err)
	}
}

// TestLostAnswers: what the stream has taken and could not say is sent again,
// and kept once.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	p := newProcess(t, storeDir(t))
	wire := natstest.NewWire(t, p.listen)
	l, _ := loaded(t, config("nats://"+wire.Addr()))
	js := admin(t, p.url())
	for i := range uint64(3) {
		wire.LoseAnswers(true)
		done := make(chan error, 1)
		go func() { done <- l.Commit(t.Context(), batch(i+1)) }()
		await(t, "the message in the stream", func() bool { return messages(t, js, l.cfg.Stream) == i+1 })
		wire.LoseAnswers(false)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if n := messages(t, js, l.cfg.Stream); n != 3 {
		t.Errorf("%d messages for 3 commits", n)
	}
}

// TestFullStream: a full stream refuses what is new, drops nothing, lets nodes
// start, and takes what waits as soon as there is room.
func TestFullStream(t *testing.T) {
	p := newProcess(t, storeDir(t))
	cfg := config(p.url())
	cfg.MaxBytes = 64 << 10
	l, want := loaded(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	var acked atomic.Uint64
	go func() {
		for n := uint64(0); ; n++ {
			var b store.Batch
			for k := range uint64(20) {
				b.Records = append(b.Records, storetest.Record(n*20+k, storetest.Far))
			}
			if err := l.Commit(ctx, b); err != nil {
				done <- err
				return
			}
			acked.Store(n + 1)
		}
	}()
	await(t, "a full stream", func() bool { return errors.Is(troubled(l), ErrFull) })
	for n := range acked.Load() * 20 {
		want.Join(storetest.Record(n, storetest.Far))
	}
	if _, got := loaded(t, cfg); len(want) == 0 || !maps.Equal(got, want) {
		t.Errorf("%d records in a full stream, want %d", len(got), len(want))
	}
	js := admin(t, p.url())
	s, err := js.Stream(t.Context(), l.cfg.Stream)
	if err != nil {
		t.Fatal(err)
	}
	roomy := s.CachedInfo().Config
	roomy.MaxBytes = 4 << 20
	before := acked.Load()
	if _, err := js.UpdateStream(t.Context(), roomy); err != nil {
		t.Fatal(err)
	}
	await(t, "commits again", func() bool { return acked.Load() > before+3 && troubled(l) == nil })
	cancel()
	<-done
}

// TestStrangers: what does not open or is no entry is skipped and counted.
func TestStrangers(t *testing.T) {
	p := newProcess(t, storeDir(t))
	cfg := config(p.url())
	l, _ := loaded(t, cfg)
	storetest.Commit(t, l, batch(1))
	js := admin(t, p.url())
	prefix := l.stream.Load().prefix
	good := entry{origin: 7, at: store.Position{Epoch: 7}, number: 1, records: []rescind.Record{storetest.Record(9, storetest.Far)}}.append(nil)
	for _, m := range []string{"", "noise", "sealed", "sealed\x01", "sealed" + string(good[:len(good)-1]), "sealed\x02" + string(good[1:]), "sealed" + string(make([]byte, 65))} {
		for _, subject := range []string{"r.1", "r.x", "m.y", "z.z.z"} {
			if _, err := js.Publish(t.Context(), prefix+subject, []byte(m)); err != nil {
				t.Fatal(err)
			}
		}
	}
	storetest.Commit(t, l, batch(2))
	again, got := loaded(t, cfg)
	if len(got) != 2 || again.Stats().Skipped != 28 {
		t.Errorf("%d records, %d skipped", len(got), again.Stats().Skipped)
	}
	if err := again.Drop(t.Context(), storetest.Far*2); err != nil {
		t.Errorf("drop: %v", err)
	}
}

// TestDropByAClockThatIsAhead: a node whose clock is years ahead takes nothing that
// lives from the others.
func TestDropByAClockThatIsAhead(t *testing.T) {
	cfg := config(newProcess(t, storeDir(t)).url())
	cfg.anyClock = false
	l, _ := loaded(t, cfg)
	now := rescind.MillisOf(time.Now())
	live, lapsed := batch(1), batch(2)
	for i := range live.Records {
		live.Records[i].ExpiresAt = now.Add(time.Hour)
	}
	for i := range lapsed.Records {
		lapsed.Records[i].ExpiresAt = now.Add(-rescind.RetentionMargin - 3*BucketWidth)
	}
	storetest.Commit(t, l, live)
	storetest.Commit(t, l, lapsed)
	if err := l.Drop(t.Context(), now.Add(10*365*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	_, got := loaded(t, cfg)
	for _, r := range live.Records {
		if got[r.Digest] != r {
			t.Errorf("a record that lives for an hour is gone")
		}
	}
	for _, r := range lapsed.Records {
		if _, ok := got[r.Digest]; ok {
			t.Error("a record that has lapsed is still there")
		}
	}
}

// TestWrongStreams: a stream that can't keep the promise is refused for good, and
// so are servers that may not sync.
func TestWrongStreams(t *testing.T) {
	p := newProcess(t, storeDir(t))
	js := admin(t, p.url())
	load := func(cfg Config) error {
		_, err := openLog(t, cfg).Load(t.Context(), 0, func(rescind.Record) {})
		return err
	}
	first, _ := loaded(t, config(p.url()))
	other := config(p.url())
	other.KeyCheck[3]++
	if err := load(other); !errors.Is(err, store.ErrOtherCluster) {
		t.Errorf("another key: %v", err)
	}
	lazy := config(p.url())
	lazy.SyncingServer = "somebody else"
	if err := load(lazy); !errors.Is(err, ErrMayNotSync) {
		t.Errorf("a server that may not sync: %v", err)
	}
	lazy.DangerouslyAssumeSync = true
	if err := load(lazy); err != nil {
		t.Errorf("a server that is said to sync: %v", err)
	}
	for name, change := range map[string]func(*jetstream.StreamConfig){
		"age":     func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour },
		"number":  func(c *jetstream.StreamConfig) { c.MaxMsgs = 10 },
		"old":     func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld },
		"memory":  func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage },
		"size":    func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1 << 10 },
		"no ack":  func(c *jetstream.StreamConfig) { c.NoAck = true },
		"subject": func(c *jetstream.StreamConfig) { c.Subjects = []string{"something.else"} },
	} {
		cfg := config(p.url())
		cfg.Cluster = strings.ReplaceAll(name, " ", "-")
		c := first.newStream()
		c.Name, c.Subjects = "rescind-log-"+cfg.Cluster, []string{"rescind." + cfg.Cluster + ".log.0123456789abcdef.>"}
		change(&c)
		if _, err := js.CreateStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if err := load(cfg); !errors.Is(err, ErrWrongStream) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStreamMadeAnew: a node that runs while its stream is deleted, and made anew
// by another, says so and acknowledges nothing.
func TestStreamMadeAnew(t *testing.T) {
	t.Parallel()
	p := newProcess(t, storeDir(t))
	l, _ := loaded(t, config(p.url()))
	storetest.Commit(t, l, batch(1))
	follow(t, l, func(rescind.Record) {}, func() {})
	if err := admin(t, p.url()).DeleteStream(t.Context(), l.cfg.Stream); err != nil {
		t.Fatal(err)
	}
	await(t, "trouble", func() bool { return errors.Is(troubled(l), ErrReplaced) })
	other, got := loaded(t, config(p.url()))
	if len(got) != 0 {
		t.Fatalf("%v", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := l.Commit(ctx, batch(2)); err == nil || !errors.Is(troubled(l), ErrReplaced) {
		t.Errorf("commit into a stream made anew: %v; trouble: %v", err, troubled(l))
	}
	storetest.Commit(t, other, batch(3))
}

// follow follows the log until the test ends.
func follow(t testing.TB, l *Log, merge func(rescind.Record), held func()) {
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { l.Follow(ctx, merge, func(func(rescind.Record) bool) {}, held) })
	t.Cleanup(func() { stop(); running.Wait() })
}

// TestFollow: what others commit arrives, also after the server was killed; their
// positions are what they have committed, never more; and what was committed
// before Held's moment is here.
func TestFollow(t *testing.T) {
	p := newProcess(t, storeDir(t))
	writer, _ := loaded(t, config(p.url()))
	storetest.Commit(t, writer, batch(1))
	follow(t, writer, func(rescind.Record) {}, func() {})
	reader, got := loaded(t, config(p.url()))
	if len(got) != 1 {
		t.Fatalf("%v", got)
	}
	var mu sync.Mutex
	news := make(chan struct{}, 1)
	follow(t, reader, func(r rescind.Record) {
		mu.Lock()
		defer mu.Unlock()
		got.Join(r)
	}, func() {
		select {
		case news <- struct{}{}:
		default:
		}
	})
	for n := uint64(2); n < 12; n++ {
		if n == 7 {
			p.kill()
			p.start(t)
		}
		storetest.Commit(t, writer, batch(n))
		committed := reader.cfg.Steady()
		await(t, "a later moment", func() bool {
			<-news
			positions, asOf := reader.Held()
			mu.Lock()
			defer mu.Unlock()
			at := positions[writer.Identity().Origin]
			if at.Seq > uint64(len(got)) || at.Seq > n {
				t.Fatalf("position %+v with %d records", at, len(got))
			}
			if asOf <= committed {
				return false
			}
			if len(got) != int(n) || at != (store.Position{Epoch: writer.Identity().Epoch, Seq: n}) {
				t.Fatalf("as of after commit %d: %d records, position %+v", n, len(got), at)
			}
			return true
		})
	}
}

// TestThreeServers kills one of three servers after the other while nodes commit:
// nothing that was acknowledged is lost.
func TestThreeServers(t *testing.T) {
	t.Parallel()
	servers := natstest.NewTrio(t)
	cfg := config(servers.URLs(0))
	cfg.Replicas, cfg.DangerouslyAssumeSync = 3, true
	const nodes = 3
	var (
		running sync.WaitGroup
		mu      sync.Mutex
		want    = storetest.Set{}
		acked   atomic.Int64
	)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for i := range uint64(nodes) {
		c := cfg
		c.URL = servers.URLs(int(i))
		l, _ := loaded(t, c)
		running.Go(func() {
			for n := i; ctx.Err() == nil; n += nodes {
				r := storetest.Record(n, storetest.Far+rescind.Millis(n)*1e5)
				if l.Commit(ctx, store.Batch{Records: []rescind.Record{r}, Own: n/nodes + 1}) == nil {
					mu.Lock()
					want.Join(r)
					mu.Unlock()
					acked.Add(1)
				}
			}
		})
	}
	for i := range 3 {
		before := acked.Load()
		await(t, "commits", func() bool { return acked.Load() > before+20 })
		servers.Kill(i)
		before = acked.Load()
		await(t, "commits without one server", func() bool { return acked.Load() > before+20 })
		servers.Start(i)
		natstest.Await(t, "all replicas current", func() bool {
			s, err := admin(t, servers.URLs(0)).Stream(t.Context(), "rescind-log-test")
			if err != nil || s.CachedInfo().Cluster == nil {
				return false
			}
			for _, r := range s.CachedInfo().Cluster.Replicas {
				if !r.Current {
					return false
				}
			}
			return s.CachedInfo().Cluster.Leader != ""
		})
	}
	stop()
	running.Wait()
	_, got := loaded(t, cfg)
	for d, r := range want {
		if got[d] != r {
			t.Errorf("%v was acknowledged and is %v", r, got[d])
		}
	}
	t.Logf("%d acknowledged, %d found", len(want), len(got))
}

// TestLargeCommit goes into many messages, some of the largest size.
func TestLargeCommit(t *testing.T) {
	p := newProcess(t, storeDir(t))
	l, _ := loaded(t, config(p.url()))
	var b store.Batch
	want := storetest.Set{}
	for n := range uint64(3*maxRecords + 5) {
		r := storetest.Record(n, storetest.Far)
		if n%1000 == 0 {
			r.ExpiresAt = r.ExpiresAt.Add(time.Duration(n) * time.Hour)
		}
		b.Records = append(b.Records, r)
		want.Join(r)
	}
	b.Own = uint64(len(b.Records))
	storetest.Commit(t, l, b)
	if got := storetest.Load(t, l); !maps.Equal(got, want) {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
}

func TestSettingsThatCantWork(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no URL":   func(c *Config) { c.URL = "" },
		"cluster":  func(c *Config) { c.Cluster = "a.b" },
		"stream":   func(c *Config) { c.Stream = "a>" },
		"replicas": func(c *Config) { c.Replicas = 2 },
		"bytes":    func(c *Config) { c.MaxBytes = -1 },
		"creds":    func(c *Config) { c.Login.CredsFile = "/does/not/exist" },
	} {
		cfg := config("nats://127.0.0.1:1")
		change(&cfg)
		if l, err := Open(cfg); err == nil {
			l.Close()
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzEntry: what is read is what was written, and nothing else is read.
func FuzzEntry(f *testing.F) {
	f.Add(mark{stream: 9, origin: 1, at: store.Position{Epoch: 2, Seq: 3}, number: 4, written: []tally{{5, 6}}}.append(nil))
	f.Add(entry{origin: 1, at: store.Position{Epoch: 2}, records: []rescind.Record{storetest.Record(1, storetest.Far)}}.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := entryOf(b)
		if err == nil && string(e.append(nil)) != string(b) {
			t.Errorf("%x reads as %+v", b, e)
		}
		m, err := markOf(b)
		if err == nil && string(m.append(nil)) != string(b) {
			t.Errorf("%x reads as %+v", b, m)
		}
	})
}
