package sharedlog

import (
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"rescind"
	"rescind/internal/natstest"
	"rescind/internal/store/storetest"
)

// TestLogin: in each way to log in, a login that is refused is the reason why nothing
// is durable, at the start and later; and the log goes on once the file is right.
func TestLogin(t *testing.T) {
	for _, d := range natstest.Doors(t, func(o *server.Options) {
		o.ServerName, o.JetStream, o.SyncAlways = syncing, true, true
	}) {
		t.Run(d.Name, func(t *testing.T) {
			cfg := config(d.URL())
			cfg.Login = d.Login
			d.Write(natstest.Wrong)
			l := openLog(t, cfg)
			done := make(chan error, 1)
			go func() { _, err := l.Load(t.Context(), 0, func(rescind.Record) {}); done <- err }()
			refused := func(what string) {
				t.Helper()
				await(t, what, func() bool { return errors.Is(troubled(l), ErrRefused) })
				if why := troubled(l).Error(); !strings.Contains(why, "nats.") || strings.Contains(why, d.Secret(1)) {
					t.Errorf("%s: %s", what, why)
				}
			}
			refused("a wrong secret is told")
			d.Write(1)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			storetest.Commit(t, l, batch(1))
			d.Accept(2)
			go func() { done <- l.Commit(t.Context(), batch(2)) }()
			refused("that it is not accepted any more is told")
			d.Write(2)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if why := troubled(l); why != nil {
				t.Errorf("after all: %v", why)
			}
		})
	}
}
