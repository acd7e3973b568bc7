package carrier

import (
	"slices"
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

// TestNATSRights: with the rights that Grants lists and no others, nodes prove their
// subjects and hear each other on both.
func TestNATSRights(t *testing.T) {
	user := func(node Node) *server.User {
		return &server.User{Username: node.String(), Password: "secret", Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: []string{"rescind.prod.all", "rescind.prod.node.*"}},
			Subscribe: &server.SubjectPermission{Allow: []string{"rescind.prod.all", subjectNode("prod", node)}},
		}}
	}
	for _, subject := range slices.Concat(user(1).Permissions.Publish.Allow, user(1).Permissions.Subscribe.Allow) {
		if !strings.Contains(Grants("prod", 1), `"`+subject+`"`) {
			t.Errorf("Grants does not list %s", subject)
		}
	}
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, Users: []*server.User{user(1), user(2)},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	join := func(id Node) natsNode {
		return startNATS(t, strings.Replace(s.ClientURL(), "nats://", "nats://"+id.String()+":secret@", 1), id, nil)
	}
	a, b := join(1), join(2)
	for _, n := range []natsNode{a, b} {
		eventually(t, "every subject is proven", func() bool { return n.loops.heard[loopOwn].Load() > 0 && n.loops.heard[loopAll].Load() > 0 })
	}
	a.Broadcast([]byte("to all"))
	b.in.await(t, []byte("to all"))
	if !b.Send(1, []byte("to one")) {
		t.Fatal("send refused")
	}
	a.in.await(t, []byte("to one"))
	for _, n := range []natsNode{a, b} {
		if st := n.Status(); !st.Connected || st.Errors != 0 {
			t.Errorf("%+v", st)
		}
	}
}
