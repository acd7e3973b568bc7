package sharedlog

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"rescind"
	"rescind/internal/natslink"
	"rescind/internal/store/storetest"
)

// inProcess starts a server in this process that ends with the test.
func inProcess(t testing.TB, change func(*server.Options)) *server.Server {
	t.Helper()
	o := &server.Options{
		ServerName: syncing, Host: "127.0.0.1", Port: server.RANDOM_PORT,
		JetStream: true, StoreDir: t.TempDir(), SyncAlways: true, NoSigs: true, NoLog: true,
	}
	change(o)
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the server is not ready")
	}
	return s
}

// waitsFor loads a log that can't be and returns why it waits.
func waitsFor(t testing.TB, cfg Config) error {
	t.Helper()
	l := openLog(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := l.Load(ctx, 0, func(rescind.Record) {}); done <- err }()
	var why error
	await(t, "a reason", func() bool { why = troubled(l); return why != nil && !strings.Contains(why.Error(), "no connection") })
	cancel()
	<-done
	return why
}

// nodeRights are those that docs/operations.md lists.
func nodeRights() *server.Permissions {
	const stream = "rescind-log-test"
	return &server.Permissions{
		Publish: &server.SubjectPermission{Allow: []string{
			"rescind.test.log.>", "$JS.API.INFO",
			"$JS.API.STREAM.INFO." + stream, "$JS.API.STREAM.CREATE." + stream, "$JS.API.STREAM.UPDATE." + stream,
			"$JS.API.STREAM.PURGE." + stream, "$JS.API.STREAM.MSG.GET." + stream,
			"$JS.API.CONSUMER.CREATE." + stream + ".>", "$JS.API.CONSUMER.INFO." + stream + ".>", "$JS.API.CONSUMER.DELETE." + stream + ".>",
			"$JS.API.CONSUMER.MSG.NEXT." + stream + ".>",
		}},
		Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
	}
}

// TestRights: a user with the rights that the documentation lists does all that a
// node does; with one less, the node says which is missing.
func TestRights(t *testing.T) {
	user := func(rights *server.Permissions) Config {
		s := inProcess(t, func(o *server.Options) {
			o.Users = []*server.User{{Username: "node", Password: "secret", Permissions: rights}}
		})
		u, err := url.Parse(s.ClientURL())
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword("node", "secret")
		return config(u.String())
	}
	cfg := user(nodeRights())
	l, _ := loaded(t, cfg)
	follow(t, l, func(rescind.Record) {}, func() {})
	for n := range uint64(40) { // earlier marks are removed, too
		storetest.Commit(t, l, batch(n+1))
	}
	if err := l.compareOnce(t.Context(), l.stream.Load()); err != nil {
		t.Error(err)
	}
	if err := l.Drop(t.Context(), storetest.Far*2); err != nil {
		t.Error(err)
	}
	for missing, says := range map[string]string{
		"rescind.test.log.>":                         "publish to rescind.test.log.",
		"$JS.API.STREAM.INFO.rescind-log-test":       "publish to $JS.API.STREAM.INFO.rescind-log-test",
		"$JS.API.STREAM.CREATE.rescind-log-test":     "publish to $JS.API.STREAM.CREATE.rescind-log-test",
		"$JS.API.CONSUMER.CREATE.rescind-log-test.>": "publish to $JS.API.CONSUMER.CREATE.rescind-log-test",
		"_INBOX.>": "subscribe to _INBOX.",
	} {
		rights := nodeRights()
		without := func(list []string) (left []string) {
			for _, s := range list {
				if s != missing {
					left = append(left, s)
				}
			}
			return left
		}
		rights.Publish.Allow, rights.Subscribe.Allow = without(rights.Publish.Allow), without(rights.Subscribe.Allow)
		if len(rights.Subscribe.Allow) == 0 {
			rights.Subscribe.Allow = []string{"nothing"}
		}
		if why := waitsFor(t, user(rights)); !errors.Is(why, ErrDenied) || !strings.Contains(why.Error(), says) {
			t.Errorf("without %s: %v", missing, why)
		}
	}
}

// TestServersThatDoNotFit: what is in the way is told before anything is made, and
// once it has passed the node goes on.
func TestServersThatDoNotFit(t *testing.T) {
	off := inProcess(t, func(o *server.Options) { o.JetStream = false })
	if why := waitsFor(t, config(off.ClientURL())); !errors.Is(why, ErrOff) || !strings.Contains(why.Error(), "jetstream {}") {
		t.Errorf("JetStream off: %v", why)
	}
	elsewhere := inProcess(t, func(o *server.Options) { o.JetStreamDomain = "hub" })
	cfg := config(elsewhere.ClientURL())
	cfg.Domain = "spoke"
	if why := waitsFor(t, cfg); !errors.Is(why, ErrOff) || !strings.Contains(why.Error(), "in the domain spoke") {
		t.Errorf("another domain: %v", why)
	}
	cfg.Domain = "hub"
	l, _ := loaded(t, cfg)
	storetest.Commit(t, l, batch(1))

	small := inProcess(t, func(o *server.Options) { o.JetStreamMaxStore = 4 << 20 })
	cfg = config(small.ClientURL())
	cfg.MaxBytes = 64 << 20
	if why := waitsFor(t, cfg); !errors.Is(why, ErrQuota) || !strings.Contains(why.Error(), "store.max-bytes") {
		t.Errorf("a small quota: %v", why)
	}
	alone := inProcess(t, func(*server.Options) {})
	cfg = config(alone.ClientURL())
	cfg.Replicas = 3
	if why := waitsFor(t, cfg); !errors.Is(why, ErrQuota) || !strings.Contains(why.Error(), "store.replicas") {
		t.Errorf("too few servers: %v", why)
	}
}

// TestServerTooOld: a real server that says it is 2.10 gets no order to make a
// stream, and the node goes on once it has been upgraded.
func TestServerTooOld(t *testing.T) {
	s := inProcess(t, func(*server.Options) {})
	u, err := url.Parse(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	old := sayingVersion(t, u.Host, "2.10.29")
	if why := waitsFor(t, config("nats://"+old)); !errors.Is(why, ErrTooOld) || !strings.Contains(why.Error(), "2.10.29") {
		t.Errorf("an old server: %v", why)
	}
	if info, err := admin(t, s.ClientURL()).AccountInfo(t.Context()); err != nil || info.Streams != 0 {
		t.Errorf("streams were made on it: %+v, %v", info, err)
	}
	l, _ := loaded(t, config(s.ClientURL()))
	storetest.Commit(t, l, batch(1))
}

var versionRe = regexp.MustCompile(`"version":"[^"]*"`)

// sayingVersion leads to a server and changes the version that it tells clients.
func sayingVersion(t testing.TB, to, version string) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(func() { listener.Close(); running.Wait() })
	running.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			running.Go(func() { defer in.Close(); defer out.Close(); bufio.NewReader(in).WriteTo(out) })
			running.Go(func() {
				defer in.Close()
				defer out.Close()
				r := bufio.NewReader(out)
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					if strings.HasPrefix(line, "INFO ") {
						line = versionRe.ReplaceAllString(line, `"version":"`+version+`"`)
					}
					if _, err := in.Write([]byte(line)); err != nil {
						return
					}
				}
			})
		}
	})
	return listener.Addr().String()
}

// TestDeniedIsToldFromOthers: a request ends when it is denied, and not when
// another one is.
func TestDeniedIsToldFromOthers(t *testing.T) {
	d := &natslink.DeniedError{Verb: "publish", Subject: "x"}
	if !errors.Is((&Log{link: &natslink.Link{}}).cause(contextDenied(d), context.Canceled), ErrDenied) {
		t.Error("what was denied is not told")
	}
	if err := (&Log{link: &natslink.Link{}}).cause(t.Context(), context.DeadlineExceeded); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func contextDenied(d error) context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(d)
	return ctx
}
