package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"rescind"
	"rescind/httpapi/dashboard"
	"rescind/token"
)

// devSite is a cluster of 'node dev' in this process.
type devSite struct {
	*dev
	t *testing.T
}

func newDevSite(t *testing.T) *devSite {
	t.Helper()
	listeners, err := listenInRow("127.0.0.1:0", 3)
	if err != nil {
		t.Fatal(err)
	}
	d := &dev{dir: t.TempDir(), nodes: 3, admin: "admin-token-0123456789", log: slog.New(slog.DiscardHandler)}
	if err := d.start(listeners); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for _, f := range d.faces {
		select {
		case <-f.node.Ready():
		case <-time.After(20 * time.Second):
			t.Fatal("a node does not become ready")
		}
	}
	return &devSite{d, t}
}

func (s *devSite) base(i int) string { return "http://" + s.faces[i].addr.(*net.TCPAddr).String() }

func (s *devSite) login(user, device string) token.Pair {
	s.t.Helper()
	pair, err := s.players[0].Issuer.Login(s.t.Context(), user, token.LoginOptions{ClientID: "demo", Claims: map[string]any{"device": device}})
	if err != nil {
		s.t.Fatal(err)
	}
	return pair
}

// status is what a node answers to a token.
func (s *devSite) status(i int, raw string) int {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), "GET", s.base(i)+"/v1/check", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+raw)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func (s *devSite) revokeSession(i int, raw string) {
	s.t.Helper()
	v, err := s.players[i].Verifier.Verify(raw)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.faces[i].node.Revoke(s.t.Context(), v.Session(), rescind.AckAll); err != nil {
		s.t.Fatal(err)
	}
}

func TestDashboardInABrowser(t *testing.T) {
	s := newDevSite(t)
	b := newBrowser(t, s.base(0))

	b.open("/dashboard/revoke") // who has not signed in is led to where one does
	b.fill("#token", "not-the-admin-token-at-all")
	b.submit("main button")
	b.reads(".failure", "not an admin token")
	b.signIn(s.admin)
	b.reads("#live-problems", "Nothing is wrong right now")
	for _, want := range []string{"node2", "node3"} {
		b.reads("#live-members", want)
	}
	for _, want := range []string{"node1", "node2", "node3", "gossip", "nats"} {
		if !ask(b, chromedp.Evaluate[bool](fmt.Sprintf(`[...document.querySelectorAll("#live-map text")].some(e => e.textContent === %q)`, want))) {
			t.Errorf("the map lacks %s", want)
		}
	}
	cookies := call(b, network.GetCookies, network.GetCookiesParams{}).Cookies
	if len(cookies) != 1 || !cookies[0].HTTPOnly || cookies[0].SameSite != network.CookieSameSiteStrict || cookies[0].Secure || !cookies[0].Session {
		t.Errorf("cookies %+v", cookies)
	}

	// What happens elsewhere appears without loading the page again.
	for i := range 40 {
		s.revokeSession(i%3, s.login("user", fmt.Sprint("device", i)).AccessToken)
	}
	b.reads("#live-events", "sid, accepted elsewhere")
	b.reads("#live-scopes", "sid")
	b.reads("#live-window .legend", "ms")
	b.size(1280, 900, "light")
	b.picture("overview-light")
	b.size(1280, 900, "dark")
	b.picture("overview-dark")
	b.size(400, 800, "light")
	b.fits(400)
	b.picture("overview-narrow")
	b.size(1280, 900, "light")

	// Revoke by a form; every node refuses it when the page is there.
	phone, laptop := s.login("ada", "phone"), s.login("ada", "laptop")
	b.open("/dashboard/revoke")
	b.fill("#token", phone.AccessToken)
	b.submit("main form button")
	b.reads("[role=status]", "Revoked")
	b.reads("[role=status]", "node3")
	for i := range s.faces {
		if s.status(i, phone.AccessToken) != 401 || s.status(i, laptop.AccessToken) != 200 {
			t.Errorf("node%d: the phone gets %d and the laptop %d", i+1, s.status(i, phone.AccessToken), s.status(i, laptop.AccessToken))
		}
	}
	b.picture("revoke")
	ask(b, chromedp.Click(chromedp.CSS("input[value=iss]")))
	b.submit("main form button")
	b.reads(".failure", "tick the box")

	// Why is it refused?
	b.open("/dashboard/check")
	b.fill("#token", phone.AccessToken)
	b.submit("main form button")
	b.reads("[role=status] h2", "Refused: 401")
	b.reads("[role=status]", "it is revoked, whenever the token was issued")
	b.picture("check")
	b.size(400, 800, "dark")
	b.fits(400)
	b.picture("check-narrow-dark")
	page := ask(b, chromedp.OuterHTML(chromedp.CSS("html")))
	if strings.Contains(page, phone.AccessToken[len(phone.AccessToken)-20:]) {
		t.Error("the page repeats the token")
	}
	b.size(1280, 900, "light")

	// What goes wrong is said in words, and listed.
	s.nats.Shutdown()
	b.open("/")
	b.reads("#live-problems", "NATS can't be reached")
	b.reads("#live-problems", "The other carrier goes on alone")
	b.reads("#live-events", "nats is disconnected")

	b.submit("header form button")
	b.reads("h1", "Sign in")
	b.open("/dashboard/check")
	b.reads("h1", "Sign in")
}

// TestDashboardWithoutJavaScript: everything is there, and works.
func TestDashboardWithoutJavaScript(t *testing.T) {
	s := newDevSite(t)
	b := newBrowser(t, s.base(1))
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.signIn(s.admin)
	b.reads("#live-members", "node3")
	b.reads("#live-problems", "Nothing is wrong right now")
	raw := s.login("ada", "phone").AccessToken
	b.open("/dashboard/revoke")
	b.fill("#token", raw)
	b.submit("main form button")
	b.reads("[role=status]", "Revoked")
	if got := s.status(2, raw); got != 401 {
		t.Errorf("another node answers %d", got)
	}
	b.open("/")
	b.reads("#live-events", "sid, accepted here")
}

// TestPlaygroundInABrowser: two sessions, one is logged out, and dies on every
// node; the other goes on.
func TestPlaygroundInABrowser(t *testing.T) {
	s := newDevSite(t)
	b := newBrowser(t, s.base(0))
	b.open(dashboard.PlaygroundPath)
	b.submit("form[action$=login]:has([name=browser][value='0']) button")
	b.submit("form[action$=login]:has([name=browser][value='1']) button")
	b.reads("section[aria-label='Sessions in Browser A'] .answers", "node3 200")
	b.reads("section[aria-label='Sessions in Browser B'] .answers", "node3 200")
	b.picture("playground-before")
	b.submit("section[aria-label='Sessions in Browser A'] button[value=logout]")
	b.reads("section[aria-label='Sessions in Browser A'] .over", "Refused on every node after")
	for i := range s.faces {
		b.reads("section[aria-label='Sessions in Browser A'] .answers", fmt.Sprintf("node%d 401 after", i+1))
		b.reads("section[aria-label='Sessions in Browser B'] .answers", fmt.Sprintf("node%d 200", i+1))
	}
	b.picture("playground-after")
	b.submit("section[aria-label='Sessions in Browser B'] button[value=refresh]")
	b.reads("section[aria-label='Sessions in Browser B']", "refreshed: 1")
	b.submit("section[aria-label='Sessions in Browser A'] button[value=refresh]")
	b.reads(".failure", "revoked")
	b.size(400, 800, "dark")
	b.open(dashboard.PlaygroundPath)
	b.fits(400)
	b.picture("playground-narrow-dark")
}
