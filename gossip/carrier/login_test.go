package carrier

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"rescind/internal/natstest"
)

// lockedBuffer is a log that a test reads while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// TestNATSLogin: in each way to log in, a node that shows what the server accepts is
// connected and its subjects work. A wrong secret is told under the name of its
// setting, and so is one that is refused while the node is connected; once the file
// holds what the server accepts, all is well, without a restart. No text holds a
// secret.
func TestNATSLogin(t *testing.T) {
	for _, d := range natstest.Doors(t, nil) {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			log := &lockedBuffer{}
			d.Write(natstest.Wrong)
			n := startNATS(t, d.URL(), 1, func(c *NATSConfig) {
				c.Login, c.Logger = d.Login, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			})
			texts := []string{}
			refused := func(what string) {
				t.Helper()
				eventually(t, what, func() bool { s := n.Status(); return !s.Connected && s.Refusal != "" && s.LoginsRefused > 0 })
				s := n.Status()
				texts = append(texts, s.Refusal, s.LastError)
				if !strings.Contains(s.Refusal, "nats.") || !strings.Contains(s.Refusal, "file") {
					t.Errorf("%s: it does not say what to change: %s", what, s.Refusal)
				}
			}
			accepted := func(what string) {
				t.Helper()
				before := n.loops.last.Load()
				eventually(t, what, func() bool { s := n.Status(); return s.Connected && s.Refusal == "" })
				eventually(t, what+": its subjects work", func() bool {
					last := n.loops.last.Load()
					return last > before && n.loops.heard[loopAll].Load() == last && n.loops.heard[loopOwn].Load() == last
				})
			}
			refused("a wrong secret is told")
			d.Write(1)
			accepted("the right one is used")
			d.Accept(2)
			refused("that it is not accepted any more is told")
			d.Write(2)
			accepted("a new one is used")
			reconnects := n.Status().Reconnects
			d.Write(2) // the same for those that only hold a secret
			if d.Login.CertFile != "" {
				eventually(t, "a renewed file is used while the old secret is still good", func() bool { return n.Status().Reconnects > reconnects })
			}
			texts = append(texts, log.String())
			for _, text := range texts {
				for _, g := range []int{1, 2, natstest.Wrong} {
					for _, line := range strings.Split(d.Secret(g), "\n") {
						if len(line) > 4 && !strings.HasPrefix(line, "-----") && strings.Contains(text, line) {
							t.Errorf("a text holds a secret: %s", text)
						}
					}
				}
			}
		})
	}
}

// TestNATSCredentialsExpire: a user's JWT that expires while the node is connected is
// told as that, and a file that is renewed in time never gets so far.
func TestNATSCredentialsExpire(t *testing.T) {
	d := natstest.CredsDoor(t, 3*time.Second, nil)
	n := startNATS(t, d.URL(), 1, func(c *NATSConfig) { c.Login = d.Login })
	eventually(t, "connected", func() bool { return n.Status().Connected })
	eventually(t, "the end of the credentials is told", func() bool { return !n.Status().Connected && strings.Contains(n.Status().Refusal, "nats.creds-file") })
	if s := n.Status(); !strings.Contains(s.Refusal, "expired") {
		t.Errorf("it does not say that they have expired: %s", s.Refusal)
	}
	d.Write(1)
	eventually(t, "renewed credentials are used", func() bool { return n.Status().Connected && n.Status().Refusal == "" })
}

// TestNATSWithoutLogin: a server that asks who the node is, and TLS that does not fit,
// are told with the setting that is missing.
func TestNATSWithoutLogin(t *testing.T) {
	for _, d := range natstest.Doors(t, nil) {
		for name, c := range map[string]struct {
			only   bool // client certificates
			change func(*NATSConfig)
			want   string
		}{
			"nothing":        {change: func(c *NATSConfig) { c.Login.CAFile = d.Login.CAFile }, want: "nats.tls-cert-file"},
			"no authority":   {true, func(c *NATSConfig) { c.Login = d.Login; c.Login.CAFile = "" }, "nats.tls-ca-file"},
			"another's name": {true, func(c *NATSConfig) { c.Login = d.Login; c.URL = strings.Replace(c.URL, "127.0.0.1", "localhost", 1) }, "not for the name in nats.url"},
		} {
			if c.only && d.Login.CertFile == "" {
				continue
			}
			t.Run(d.Name+", "+name, func(t *testing.T) {
				n := startNATS(t, d.URL(), 1, c.change)
				var s Status
				eventually(t, "it is told", func() bool {
					s = n.Status() // where the server's words are lost, the setting is told as a possible cause
					return s.Refusal != "" || strings.Contains(s.LastError, c.want)
				})
				if s.Connected || !strings.Contains(s.Refusal+s.LastError, c.want) {
					t.Errorf("it does not say %q: %s, %s", c.want, s.Refusal, s.LastError)
				}
			})
		}
	}
}

// TestNATSWantsTLS: where the node believes an authority of its own, it does not speak
// to a server without TLS.
func TestNATSWantsTLS(t *testing.T) {
	var ca string
	for _, d := range natstest.Doors(t, nil) {
		if d.Login.CAFile != "" {
			ca = d.Login.CAFile
		}
	}
	n := startNATS(t, startServer(t, "127.0.0.1:0").ClientURL(), 1, func(c *NATSConfig) { c.Login.CAFile = ca })
	eventually(t, "it is told", func() bool { return strings.Contains(n.Status().Refusal, "TLS") })
	if n.Status().Connected {
		t.Error("connected without TLS")
	}
}
