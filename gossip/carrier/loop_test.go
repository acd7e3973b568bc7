package carrier

import (
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// TestNATSProvesItsSubjects: a server that lets a node publish and not subscribe, or
// only on the subject to all, has it connected, and does not carry its messages. That
// is "not connected", with the permissions to grant.
func TestNATSProvesItsSubjects(t *testing.T) {
	all := []string{"rescind.prod.all"}
	for name, p := range map[string]*server.Permissions{
		"publishing only":       {Publish: &server.SubjectPermission{Allow: []string{"rescind.prod.>"}}, Subscribe: &server.SubjectPermission{Deny: []string{">"}}},
		"the subject to all":    {Publish: &server.SubjectPermission{Allow: all}, Subscribe: &server.SubjectPermission{Allow: all}},
		"subscribing only":      {Publish: &server.SubjectPermission{Deny: []string{">"}}, Subscribe: &server.SubjectPermission{Allow: []string{"rescind.prod.>"}}},
		"everything that is in": nil,
	} {
		t.Run(name, func(t *testing.T) {
			s, err := server.NewServer(&server.Options{
				Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
				Users: []*server.User{{Username: "node", Password: "secret", Permissions: p}},
			})
			if err != nil {
				t.Fatal(err)
			}
			s.Start()
			t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
			if !s.ReadyForConnections(patience) {
				t.Fatal("the server does not start")
			}
			url := strings.Replace(s.ClientURL(), "nats://", "nats://node:secret@", 1)
			n := startNATS(t, url, 1, nil)
			eventually(t, "the subjects have been tried", func() bool { return n.loops.last.Load() > 0 && (n.loops.broken.Load() != nil || p == nil) })
			if p == nil {
				eventually(t, "every subject is proven", func() bool { return n.loops.heard[loopOwn].Load() > 0 && n.loops.heard[loopAll].Load() > 0 })
			}
			st := n.Status()
			if st.Connected != (p == nil) || st.Received != 0 {
				t.Errorf("%+v", st)
			}
			if why := n.loops.broken.Load(); p != nil && !strings.Contains(*why, "rescind.prod.node.*") {
				t.Errorf("it does not name what to grant: %s", *why)
			}
		})
	}
}
