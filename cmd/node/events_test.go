package main

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// eventSite is three clusters of one process each, which share nothing but an
// issuer: the first tells the second by push and the third by poll what it
// revokes.
type eventSite struct {
	t     *testing.T
	dir   string
	addrs []string
	nodes [3]*process
}

const thirdsToken = "the-token-with-which-the-third-polls"

func newEventSite(t *testing.T) *eventSite {
	s := &eventSite{t: t, dir: t.TempDir(), addrs: freePorts(t, 3)}
	if out, err := exec.Command(binary(t, "rescind"), "keys", "generate", "--dir", s.file("keys")).CombinedOutput(); err != nil {
		t.Fatalf("keys generate: %v\n%s", err, out)
	}
	own := get(t, s.file("keys/issuers.yaml"))
	put(t, s.file("keys/first.yaml"), own)
	transmitter := own + fmt.Sprintf("- issuer: http://%[1]s\n  events-only: true\n  events-subjects: https://demo.rescind.invalid\n  jwks-url: http://%[1]s/.well-known/jwks.json\n", s.addrs[0])
	put(t, s.file("keys/second.yaml"), transmitter+"  events-audience: second\n")
	put(t, s.file("keys/third.yaml"), transmitter+"  events-audience: third\n  events-poll-url: http://"+s.addrs[0]+"/v1/security-events/poll\n  events-poll-token-file: poll.token\n")
	put(t, s.file("poll.token"), thirdsToken+"\n")
	put(t, s.file("receivers.yaml"), "- {name: second, audience: second, push: 'http://"+s.addrs[1]+"/v1/security-events'}\n"+
		"- {name: third, audience: third, sha256: "+hashOf(t, "admin", thirdsToken)+"}\n")
	return s
}

func (s *eventSite) file(name string) string { return filepath.Join(s.dir, name) }

func (s *eventSite) start(i int) {
	s.t.Helper()
	name := []string{"first", "second", "third"}[i]
	args := []string{"--node.name", name, "--http.addr", s.addrs[i], "--data.dir", name, "--tokens.issuers", "keys/" + name + ".yaml", "--shutdown.delay", "0s"}
	if i == 0 {
		args = append(args, "--oauth.key-file", "keys/oauth.jwks", "--oauth.issuer", "http://"+s.addrs[0], "--events.receivers-file", "receivers.yaml")
	}
	check := exec.Command(binary(s.t, "rescind"), append([]string{"config", "check"}, args...)...)
	check.Dir = s.dir
	if out, err := check.CombinedOutput(); err != nil {
		s.t.Fatalf("config check: %v\n%s", err, out)
	}
	s.nodes[i] = start(s.t, s.dir, binary(s.t, "rescind"), append([]string{"serve"}, args...)...)
	await(s.t, name+" is ready", func() bool { code, _ := request(s.t, "GET", "http://"+s.addrs[i]+"/readyz", ""); return code == 200 })
}

func (s *eventSite) mint(user string) string {
	s.t.Helper()
	out, err := exec.Command(binary(s.t, "rescind"), "keys", "token", "--dir", s.file("keys"), "--user", user, "--device", "phone").Output()
	if err != nil {
		s.t.Fatalf("keys token: %v", err)
	}
	return strings.TrimSpace(string(out))
}

func (s *eventSite) logout(token, path string) {
	s.t.Helper()
	if code, body := request(s.t, "DELETE", "http://"+s.addrs[0]+path, token); code != 200 {
		s.t.Fatalf("%s: %d %s", path, code, body)
	}
}

func (s *eventSite) expect(i, want int, token string) {
	s.t.Helper()
	await(s.t, fmt.Sprintf("node %d answers %d", i, want), func() bool {
		code, _ := request(s.t, "GET", "http://"+s.addrs[i]+"/v1/check", token)
		return code == want
	})
}

func (s *eventSite) metric(i int, line string) {
	s.t.Helper()
	await(s.t, line, func() bool {
		_, all := request(s.t, "GET", "http://"+s.addrs[i]+"/metrics", "")
		return strings.Contains(all, line+"\n")
	})
}

// TestEventsBetweenClusters: a log-out on one cluster ends the session on two others,
// by push and by poll, though they are down when it happens and the one that tells
// is killed before it could.
func TestEventsBetweenClusters(t *testing.T) {
	s := newEventSite(t)
	s.start(0)
	session, everywhere, kept := s.mint("zoe"), s.mint("bob"), s.mint("carol")
	s.logout(session, "/v1/session")
	s.logout(everywhere, "/v1/sessions")
	for _, name := range []string{"second", "third"} {
		s.metric(0, `rescind_events_waiting{receiver="`+name+`"} 2`)
	}
	s.nodes[0].kill()
	s.start(0)
	s.start(1)
	s.start(2)
	for _, i := range []int{1, 2} {
		s.expect(i, 401, session)
		s.expect(i, 401, everywhere)
		s.expect(i, 200, kept)
	}
	for _, name := range []string{"second", "third"} {
		s.metric(0, `rescind_events_told_total{receiver="`+name+`",result="delivered"} 2`)
		s.metric(0, `rescind_events_waiting{receiver="`+name+`"} 0`)
	}
	s.metric(2, `rescind_events_polled_total{result="taken",transmitter="http://`+s.addrs[0]+`"} 2`)

	// Once all are there it takes no time to speak of, and the receiver may restart.
	late := s.mint("dave")
	s.nodes[1].kill()
	s.logout(late, "/v1/session")
	s.expect(2, 401, late)
	s.start(1)
	s.expect(1, 401, late)

	// The transmitter's keys make no access tokens, and its poll is for receivers.
	resp, err := http.Post("http://"+s.addrs[0]+"/v1/security-events/poll", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a poll without a token: %d", resp.StatusCode)
	}
	for i, n := range s.nodes {
		if err := n.end(t, syscall.SIGTERM); err != nil {
			t.Errorf("node %d after SIGTERM: %v", i, err)
		}
		for _, secret := range []string{thirdsToken, "zoe", "bob"} { // none of them can be part of a number in hexadecimal
			if strings.Contains(n.out.String(), secret) {
				t.Errorf("the log of node %d tells %q", i, secret)
			}
		}
	}
}
