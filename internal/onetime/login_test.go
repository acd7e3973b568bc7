package onetime

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"rescind"
	"rescind/internal/natslink"
	"rescind/internal/natslogin"
	"rescind/internal/natstest"
)

// claimed tries one claim and returns why it was not decided.
func claimed(t *testing.T, s *Store, n int) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := s.Claim(ctx, digest(n), use(1), in(time.Hour))
	return err
}

// TestLogin: in each way to log in, a login that is refused is why nothing can be
// decided, and claims are decided again once the file is right.
func TestLogin(t *testing.T) {
	for _, d := range natstest.Doors(t, func(o *server.Options) {
		o.ServerName, o.JetStream, o.SyncAlways = "test", true, true
	}) {
		t.Run(d.Name, func(t *testing.T) {
			d.Write(natstest.Wrong)
			s, err := Open(Config{Cluster: "test", URL: d.URL(), Login: d.Login, DangerouslyAssumeSync: true, Logger: quiet})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			refused := func(n int) {
				t.Helper()
				natstest.Await(t, "the refusal is told", func() bool {
					err = claimed(t, s, n)
					_, ok := errors.AsType[*natslogin.RefusedError](err)
					return ok && errors.Is(err, rescind.ErrUndecided)
				})
				if strings.Contains(err.Error(), d.Secret(1)) || !strings.Contains(err.Error(), "nats.") {
					t.Error(err)
				}
			}
			refused(1)
			d.Write(1)
			natstest.Await(t, "the right secret is used", func() bool { return claimed(t, s, 2) == nil })
			d.Accept(2)
			refused(3)
			d.Write(2)
			natstest.Await(t, "the new secret is used", func() bool { return claimed(t, s, 4) == nil })
		})
	}
}

// nodeRights are those that docs/operations.md lists for the cluster "test".
func nodeRights() *server.Permissions {
	allow := []string{"$JS.API.INFO"}
	for _, bucket := range []string{"rescind-onetime-test-0", "rescind-onetime-test-1"} {
		allow = append(allow, "$JS.API.STREAM.INFO.KV_"+bucket, "$JS.API.STREAM.CREATE.KV_"+bucket, "$JS.API.DIRECT.GET.KV_"+bucket+".>", "$KV."+bucket+".>")
	}
	return &server.Permissions{Publish: &server.SubjectPermission{Allow: allow}, Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}}}
}

// TestRights: a user with the rights that the documentation lists can do all that
// strict one-time tokens need; with one less, the claim says which is missing.
func TestRights(t *testing.T) {
	try := func(rights *server.Permissions) error {
		s, err := server.NewServer(&server.Options{
			ServerName: "test", Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), SyncAlways: true, NoSigs: true, NoLog: true,
			Users: []*server.User{{Username: "node", Password: "secret", Permissions: rights}},
		})
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		defer func() { s.Shutdown(); s.WaitForShutdown() }()
		if !s.ReadyForConnections(deadline) {
			t.Fatal("the server does not start")
		}
		url := strings.Replace(s.ClientURL(), "nats://", "nats://node:secret@", 1)
		first, second := openStore(t, url, 2, 1), openStore(t, url, 2, 1)
		defer first.Close()
		defer second.Close()
		for n := range 16 { // in both buckets
			for _, one := range []*Store{first, second} { // the second asks for what is there
				if err := claimed(t, one, n); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := try(nodeRights()); err != nil {
		t.Error(err)
	}
	for _, missing := range slices.Concat(nodeRights().Publish.Allow, nodeRights().Subscribe.Allow) {
		rights := nodeRights()
		without := func(s string) bool { return s == missing }
		rights.Publish.Allow, rights.Subscribe.Allow = slices.DeleteFunc(rights.Publish.Allow, without), slices.DeleteFunc(rights.Subscribe.Allow, without)
		if len(rights.Subscribe.Allow) == 0 {
			rights.Subscribe.Allow = []string{"nothing"}
		}
		err := try(rights)
		_, denied := errors.AsType[*natslink.DeniedError](err)
		if !denied {
			t.Errorf("without %s: %v", missing, err)
		}
	}
}
