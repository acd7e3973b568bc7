package token

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rescind"
	"rescind/token/internal/strict"
	"rescind/token/jwks"
	"rescind/token/statuslist"
)

// listAt is a list in the tests' allowed place.
const (
	listPlace = "https://issuer.example/statuslists/"
	listAt    = listPlace + "1"
)

// listSite is a web server of status lists without a network.
type listSite struct {
	mu      sync.Mutex
	answers map[string]func() (code int, location, body string)
	asked   []string
}

func (s *listSite) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	answer := s.answers[r.URL.String()]
	s.asked = append(s.asked, r.URL.String())
	s.mu.Unlock()
	if answer == nil {
		return nil, errors.New("no route to host")
	}
	code, location, body := answer()
	h := http.Header{"Content-Type": {"application/statuslist+jwt"}}
	if location != "" {
		h.Set("Location", location)
	}
	return &http.Response{StatusCode: code, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// serve makes the site serve body at uri; nil takes it away.
func (s *listSite) serve(uri string, body func() string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answers == nil {
		s.answers = make(map[string]func() (int, string, string))
	}
	delete(s.answers, uri)
	if body != nil {
		s.answers[uri] = func() (int, string, string) { return 200, "", body() }
	}
}

func (s *listSite) redirect(from, to string) {
	s.serve(from, func() string { return "" })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[from] = func() (int, string, string) { return 302, to, "" }
}

// visits counts the requests for uri, or all if it is empty.
func (s *listSite) visits(uri string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, got := range s.asked {
		if uri == "" || got == uri {
			n++
		}
	}
	return n
}

// listVerifier must run in a synctest bubble; its clock is the bubble's.
func listVerifier(t *testing.T, s *listSite, log io.Writer, change func(*IssuerConfig)) *Verifier {
	t.Helper()
	v, err := NewVerifier(t.Context(), VerifierConfig{
		Issuers: []IssuerConfig{listIssuer(change)}, Checker: newNode(time.Now), HTTPClient: &http.Client{Transport: s},
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func listIssuer(change func(*IssuerConfig)) IssuerConfig {
	c := hsIssuer()
	c.StatusLists = []string{listPlace}
	if change != nil {
		change(&c)
	}
	return c
}

// referring returns a token with a status reference, issued now.
func referring(uri string, index int) string {
	return withStatus(fmt.Sprintf(`{"status_list":{"idx":%d,"uri":%q}}`, index, uri))
}

func withStatus(status string) string {
	now := rescind.MillisOf(time.Now())
	return signHS(hsHeader, fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":"alice","iat":%s,"exp":%s,"status":%s}`,
		testIssuer, testAudience, strict.NumericDate(now), strict.NumericDate(now.Add(20*24*time.Hour)), status))
}

// listToken returns a Status List Token of 16 statuses of 2 bits, issued now;
// change alters its claims.
func listToken(statuses map[int]statuslist.Status, change func(claims map[string]string)) string {
	l := must(statuslist.New(2, 16))
	for i, s := range statuses {
		l.Set(i, s)
	}
	return listTokenOf(l, change)
}

func listTokenOf(l *statuslist.List, change func(claims map[string]string)) string {
	now := rescind.MillisOf(time.Now())
	c := map[string]string{
		"sub": `"` + listAt + `"`, "iat": string(strict.NumericDate(now)), "exp": string(strict.NumericDate(now.Add(time.Hour))), "ttl": "60",
		"status_list": fmt.Sprintf(`{"bits":%d,"lst":%q}`, l.Bits(), l.Encode()),
	}
	if change != nil {
		change(c)
	}
	var members []string
	for name, value := range c {
		if value != "" {
			members = append(members, `"`+name+`":`+value)
		}
	}
	return signHS(`{"alg":"HS256","typ":"statuslist+jwt"}`, "{"+strings.Join(members, ",")+"}")
}

// TestStatusListOfTheDraft verifies the draft's own Status List Token, with its
// own key, and refers to entries of it.
func TestStatusListOfTheDraft(t *testing.T) {
	key := jwks.JWK{
		Type: "EC", Curve: "P-256", KeyID: "12", Algorithm: "ES256", Use: "sig",
		X: "I3HWm_0Ds1dPMI-IWmf4mBmH-YaeAVbPVu7vB27CxXo", Y: "6N_d5Elj9bs1htgV3okJKIdbHEpkgTmAluYKJemzn1M",
	}
	raw := strings.TrimSpace(string(must(os.ReadFile("statuslist/testdata/jwt"))))
	const uri = "https://example.com/statuslists/1"
	c := IssuerConfig{Issuer: "https://example.com", Algorithms: []string{"ES256"}, JWKS: jwksOf(key), StatusLists: []string{uri}}
	v := newVerifier(t, nil, nil, c)
	lists := v.trust.Load().issuers[c.Issuer].lists
	held, err := lists.read(raw, uri, rescind.MillisOf(time.Unix(1686920170, 0)))
	if err != nil {
		t.Fatal(err)
	}
	if held.due != statusTTLMax || held.issued != 1686920170_000 {
		t.Errorf("due after %v, issued at %v", held.due, held.issued)
	}
	for i, want := range []error{ErrRevoked, nil, nil, ErrRevoked, ErrRevoked, ErrRevoked, nil, ErrRevoked, ErrRevoked, ErrRevoked, nil, nil, nil, ErrRevoked, nil, ErrRevoked, ErrStatus} {
		wantError(t, held.check(uint64(i)), want)
	}
	if _, err := lists.read(raw, uri, rescind.MillisOf(time.Unix(2291720170, 0).Add(time.Minute))); err == nil {
		t.Error("it is accepted after its exp")
	}
	if _, err := lists.read(raw[:len(raw)-2]+"_g", uri, rescind.MillisOf(epoch)); err != nil && !errors.Is(err, ErrSignature) {
		t.Error(err)
	}
}

func TestStatusIsCheckedOnEveryUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(listSite)
		s.serve(listAt, func() string { return listToken(nil, nil) })
		v := listVerifier(t, s, io.Discard, nil)
		defer v.Close()
		raw := referring(listAt, 5)
		_, err := v.Verify(raw)
		wantError(t, err, ErrNotReady) // not fetched yet: cannot know
		if Status(err) != 503 {
			t.Errorf("status %d for a list that is not at hand", Status(err))
		}
		synctest.Wait()
		_, err = v.Verify(raw)
		wantError(t, err, nil)
		for _, c := range []struct {
			status statuslist.Status
			want   error
			code   int
		}{{statuslist.Suspended, ErrSuspended, 401}, {0, nil, 200}, {3, ErrStatus, 401}, {statuslist.Invalid, ErrRevoked, 401}} {
			s.serve(listAt, func() string { return listToken(map[int]statuslist.Status{5: c.status}, nil) })
			advance(61 * time.Second) // its ttl; the token is remembered as verified
			synctest.Wait()
			_, err = v.Verify(raw)
			wantError(t, err, c.want)
			if Status(err) != c.code {
				t.Errorf("status %d for %d", Status(err), c.status)
			}
		}
		if _, err := v.Verify(referring(listAt, 6)); err != nil {
			t.Errorf("the entry beside it: %v", err)
		}
		if n := s.visits(""); n != 5 {
			t.Errorf("%d requests in four ttl", n)
		}
	})
}

func TestOneTimeTokensAndLogoutsHeedTheStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(listSite)
		s.serve(listAt, func() string { return listToken(map[int]statuslist.Status{1: statuslist.Invalid}, nil) })
		v := listVerifier(t, s, io.Discard, func(c *IssuerConfig) { c.StatusLists = []string{listAt} })
		defer v.Close()
		synctest.Wait() // a list that is configured by name is there from the start
		n := &consumer{node: newNode(time.Now), used: map[string]bool{}}
		_, err := v.Consume(t.Context(), n, referring(listAt, 1), rescind.Available)
		wantError(t, err, ErrRevoked)
		if len(n.used) != 0 {
			t.Error("a revoked token was used up")
		}
		_, err = v.Consume(t.Context(), n, referring(listAt, 2), rescind.Available)
		wantError(t, err, nil)
		if _, err := v.VerifyIgnoringRevocation(referring(listAt, 1), Inspection{}); err != nil {
			t.Errorf("it can't be revoked here as well: %v", err)
		}
	})
}

func TestTokensWithoutAReference(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(listSite)
		v := listVerifier(t, s, io.Discard, nil)
		defer v.Close()
		for _, status := range []string{`"active"`, `null`, `7`, `{}`, `{"other":{"idx":1}}`, `["status_list"]`} {
			if _, err := v.Verify(withStatus(status)); err != nil {
				t.Errorf("%s: %v", status, err)
			}
		}
		other := newVerifier(t, nil, func(c *VerifierConfig) { c.Now = time.Now }, hsIssuer())
		for _, status := range []string{`{"status_list":{"idx":1,"uri":"https://anywhere.example/"}}`, `{"status_list":7}`} {
			if _, err := other.Verify(withStatus(status)); err != nil {
				t.Errorf("an issuer whose lists don't count: %s: %v", status, err)
			}
		}
		synctest.Wait()
		if n := s.visits(""); n != 0 {
			t.Errorf("%d requests", n)
		}
	})
}

// TestListThatCannotBeFetchedAgain goes through the hours after a site went down.
func TestListThatCannotBeFetchedAgain(t *testing.T) {
	for _, accept := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			s := new(listSite)
			s.serve(listAt, func() string {
				return listToken(map[int]statuslist.Status{1: statuslist.Invalid, 2: statuslist.Suspended}, nil)
			})
			v := listVerifier(t, s, &log, func(c *IssuerConfig) { c.StatusLists = []string{listAt}; c.AcceptUnknownStatus = accept })
			valid, revoked, suspended := referring(listAt, 0), referring(listAt, 1), referring(listAt, 2)
			judge := func(want error) {
				t.Helper()
				_, err := v.Verify(valid)
				wantError(t, err, want)
				_, err = v.Verify(revoked)
				wantError(t, err, ErrRevoked)
				_, err = v.Verify(suspended)
				wantError(t, err, ErrSuspended)
			}
			synctest.Wait()
			judge(nil)
			if got := v.StatusSources(); len(got) != 1 || got[0] != (StatusSource{Issuer: testIssuer, Lists: 1, Bytes: 4}) {
				t.Errorf("%+v", got)
			}
			s.serve(listAt, nil)
			advance(59 * time.Minute)
			judge(nil)
			advance(2 * time.Minute) // past its exp and the leeway
			if got := v.StatusSources(); len(got) != 1 || got[0].Missing != 1 || got[0].Failures < 50 || got[0].Bytes != 0 {
				t.Errorf("%+v", got)
			}
			if accept {
				judge(nil)
			} else {
				judge(ErrNotReady)
			}
			advance(30 * time.Hour) // what was revoked stays so
			s.serve(listAt, func() string {
				return listToken(map[int]statuslist.Status{1: statuslist.Invalid, 2: statuslist.Suspended}, nil)
			})
			advance(2 * time.Minute)
			synctest.Wait()
			judge(nil)
			v.Close()
			if said := log.String(); !strings.Contains(said, "no route to host") || !strings.Contains(said, "again") {
				t.Errorf("log: %s", said)
			}
		})
	}
}

// TestListWithoutTimes: a list that names neither exp nor ttl is fetched all the
// same, and not relied upon for ever.
func TestListWithoutTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(listSite)
		s.serve(listAt, func() string { return listToken(nil, func(c map[string]string) { c["exp"], c["ttl"] = "", "" }) })
		v := listVerifier(t, s, io.Discard, func(c *IssuerConfig) { c.StatusLists = []string{listAt} })
		defer v.Close()
		raw := referring(listAt, 0)
		advance(time.Hour)
		if n := s.visits(listAt); n != 12 && n != 13 {
			t.Errorf("%d requests in an hour", n)
		}
		s.serve(listAt, nil)
		advance(statusMaxAge - 10*time.Minute)
		_, err := v.Verify(raw)
		wantError(t, err, nil)
		advance(11 * time.Minute)
		_, err = v.Verify(raw)
		wantError(t, err, ErrNotReady)
	})
}

func TestListThatNobodyRefersToIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(listSite)
		s.serve(listAt, func() string { return listToken(nil, nil) })
		v := listVerifier(t, s, io.Discard, nil)
		defer v.Close()
		raw := referring(listAt, 0)
		v.Verify(raw)
		advance(statusIdle + 2*time.Minute)
		n := s.visits("")
		advance(time.Hour)
		if again := s.visits(""); again != n {
			t.Errorf("%d more requests for a list that nobody refers to", again-n)
		}
		lists := v.trust.Load().issuers[testIssuer].lists
		lists.mu.Lock()
		if lists.count != 0 || lists.bytes != 0 {
			t.Errorf("%d lists of %d bytes are kept", lists.count, lists.bytes)
		}
		lists.mu.Unlock()
		_, err := v.Verify(raw)
		wantError(t, err, ErrNotReady)
		synctest.Wait()
		_, err = v.Verify(raw)
		wantError(t, err, nil)
	})
}

func TestReloadKeepsTheLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(listSite)
		s.serve(listAt, func() string { return listToken(nil, nil) })
		v := listVerifier(t, s, io.Discard, func(c *IssuerConfig) { c.StatusLists = []string{listAt} })
		defer v.Close()
		synctest.Wait()
		same := func(c *IssuerConfig) { c.StatusLists = []string{listAt} }
		if err := v.SetIssuers([]IssuerConfig{listIssuer(same), {Issuer: "bad"}}); err == nil {
			t.Fatal("bad issuers were taken")
		}
		if err := v.SetIssuers([]IssuerConfig{listIssuer(same)}); err != nil {
			t.Fatal(err)
		}
		_, err := v.Verify(referring(listAt, 0))
		wantError(t, err, nil)
		if err := v.SetIssuers([]IssuerConfig{listIssuer(func(c *IssuerConfig) { c.StatusLists = []string{listPlace + "2"} })}); err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(referring(listAt, 0))
		wantError(t, err, ErrStatus)
		advance(time.Hour)
		synctest.Wait()
		if n := s.visits(listAt); n != 1 {
			t.Errorf("%d requests for a list that no longer counts", n)
		}
	})
}

// TestListsOfAnotherParty: keys of their own sign the lists.
func TestListsOfAnotherParty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const keysAt = "https://status.example/jwks"
		s := new(listSite)
		s.serve(keysAt, func() string { return string(jwksOf(jwk(&testECKey().PublicKey, "s", nil))) })
		by := func(key *ecdsa.PrivateKey) func() string {
			return func() string {
				c := strings.Split(listToken(map[int]statuslist.Status{1: statuslist.Invalid}, nil), ".")
				return sign(t, "ES256", key, `{"alg":"ES256","typ":"statuslist+jwt","kid":"s"}`, string(must(strict.Base64.DecodeString(c[1]))))
			}
		}
		s.serve(listAt, by(testECKey()))
		change := func(c *IssuerConfig) { c.StatusLists, c.StatusKeysURL = []string{listAt}, keysAt }
		v := listVerifier(t, s, io.Discard, change)
		defer v.Close()
		advance(5 * time.Second) // the list may have come before the keys
		synctest.Wait()
		_, err := v.Verify(referring(listAt, 1))
		wantError(t, err, ErrRevoked)
		_, err = v.Verify(referring(listAt, 0))
		wantError(t, err, nil)
		if err := v.SetIssuers([]IssuerConfig{listIssuer(change)}); err != nil {
			t.Fatal(err)
		}
		if n := s.visits(keysAt); n != 1 {
			t.Errorf("the keys were fetched %d times", n)
		}
		s.serve(listAt, func() string { return listToken(nil, nil) }) // signed by the issuer of the tokens
		advance(70 * time.Minute)
		_, err = v.Verify(referring(listAt, 0))
		wantError(t, err, ErrNotReady)
	})
}

// TestPublishedReference: a list of our own is no list to fetch, but a further
// name.
func TestPublishedReference(t *testing.T) {
	n := newNode(time.Now)
	c := hsIssuer()
	c.PublishedLists = []string{listAt}
	v := newVerifier(t, n, func(v *VerifierConfig) { v.Now = time.Now }, c)
	raw, beside := referring(listAt, 4), referring(listAt, 5)
	verified, err := v.Verify(raw)
	wantError(t, err, nil)
	if ref, ok := verified.StatusReference(); !ok || ref != (StatusReference{listAt, 4}) {
		t.Errorf("%v, %v", ref, ok)
	}
	r, ok := verified.Published(verified.This())
	if !ok || r.Key != (rescind.Key{Scope: rescind.ScopeJTI, Issuer: listAt, ID: "4"}) || !r.ExpiresAt.Equal(verified.Token.ExpiresAt.Time()) {
		t.Errorf("%+v, %v", r, ok)
	}
	n.revoke(t, r)
	_, err = v.Verify(raw)
	wantError(t, err, ErrRevoked)
	_, err = v.Consume(t.Context(), &consumer{node: newNode(time.Now), used: map[string]bool{}}, raw, rescind.Available)
	wantError(t, err, ErrRevoked)
	_, err = v.Verify(beside)
	wantError(t, err, nil)
	if other, err := v.Verify(referring(listPlace+"2", 4)); err != nil {
		t.Error(err)
	} else if _, ok := other.Published(other.This()); ok {
		t.Error("a list that is not ours is published")
	}
	c.Issuer = listAt
	if _, err := NewVerifier(t.Context(), VerifierConfig{Issuers: []IssuerConfig{hsIssuer(), {Issuer: listAt, Algorithms: c.Algorithms, HS256Secret: c.HS256Secret}, func() IssuerConfig { c.Issuer = "x"; return c }()}, Checker: n}); err == nil {
		t.Error("a name is an issuer and a list")
	}
}

func TestStatusListSettings(t *testing.T) {
	for name, change := range map[string]func(*IssuerConfig){
		"plain http":      func(c *IssuerConfig) { c.StatusLists = []string{"http://issuer.example/l/"} },
		"query":           func(c *IssuerConfig) { c.StatusLists = []string{"https://issuer.example/l?a=/"} },
		"user":            func(c *IssuerConfig) { c.StatusLists = []string{"https://u:p@issuer.example/l/"} },
		"fragment":        func(c *IssuerConfig) { c.StatusLists = []string{"https://issuer.example/l#/"} },
		"no path":         func(c *IssuerConfig) { c.StatusLists = []string{"https://issuer.example"} },
		"dots":            func(c *IssuerConfig) { c.StatusLists = []string{"https://issuer.example/a/../l/"} },
		"keys alone":      func(c *IssuerConfig) { c.StatusLists, c.StatusKeysURL = nil, "https://status.example/jwks" },
		"choice alone":    func(c *IssuerConfig) { c.StatusLists, c.AcceptUnknownStatus = nil, true },
		"keys over http":  func(c *IssuerConfig) { c.StatusKeysURL = "http://status.example/jwks" },
		"empty list name": func(c *IssuerConfig) { c.StatusLists = []string{""} },
	} {
		if _, err := NewVerifier(t.Context(), VerifierConfig{Issuers: []IssuerConfig{listIssuer(change)}, Checker: newNode(time.Now)}); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// TestIssuerRevokesTheEntryOfASession: logging out and reuse, but not a refresh.
func TestIssuerRevokesTheEntryOfASession(t *testing.T) {
	w := newWorld(t, func(c *SignerConfig) { c.PublishedLists = []string{listAt} })
	entry := func(i int) bool {
		k := StatusReference{listAt, uint64(i)}.Key()
		return w.node.Check(rescind.Token{Issuer: k.Issuer, ID: k.ID}) == rescind.Revoked
	}
	status := func(i int) LoginOptions {
		return LoginOptions{Claims: map[string]any{"status": map[string]any{"status_list": map[string]any{"idx": i, "uri": listAt}}}}
	}
	first := w.login(t, status(1))
	next := w.refresh(t, first)
	v := must(w.verifier.Verify(next.AccessToken))
	if ref, ok := v.StatusReference(); !ok || ref.Index != 1 {
		t.Errorf("a refreshed token refers to %v, %v", ref, ok)
	}
	if entry(1) {
		t.Error("a refresh has revoked the entry")
	}
	if err := w.issuer.Logout(t.Context(), v); err != nil || !entry(1) {
		t.Errorf("logged out: %v, entry revoked: %v", err, entry(1))
	}
	reused := w.login(t, status(2))
	w.refresh(t, w.refresh(t, reused))
	if _, err := w.issuer.Refresh(t.Context(), reused.RefreshToken); !errors.Is(err, ErrReused) || !entry(2) {
		t.Errorf("reuse: %v, entry revoked: %v", err, entry(2))
	}
	byName := w.login(t, status(3))
	w.node.revoke(t, rescind.Revocation{Key: StatusReference{listAt, 3}.Key()})
	if _, err := w.issuer.Refresh(t.Context(), byName.RefreshToken); !errors.Is(err, ErrRevoked) {
		t.Errorf("a session whose entry is revoked is refreshed: %v", err)
	}
	if entry(0) || entry(4) {
		t.Error("an entry beside them is revoked")
	}
}

// TestListedAsRevokedOnANodeThatIsBehind: what is known to be revoked is refused as
// that, also where the node can't know what else is.
func TestListedAsRevokedOnANodeThatIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(listSite)
		s.serve(listAt, func() string { return listToken(map[int]statuslist.Status{1: statuslist.Invalid}, nil) })
		v := listVerifier(t, s, io.Discard, func(c *IssuerConfig) { c.StatusLists = []string{listAt, listPlace + "2"} })
		defer v.Close()
		synctest.Wait()
		for verdict, unknown := range map[rescind.Verdict]error{rescind.Stale: ErrStale, rescind.Unknown: ErrNotReady} {
			v.config.Checker.(*node).override = verdict
			_, err := v.Verify(referring(listAt, 1))
			if wantError(t, err, ErrRevoked); Status(err) != 401 {
				t.Errorf("%v: status %d for what the list calls revoked", verdict, Status(err))
			}
			for _, other := range []string{referring(listAt, 2), referring(listPlace+"2", 1)} {
				_, err = v.Verify(other)
				wantError(t, err, unknown)
			}
		}
	})
}

// TestListThatDoesNotGoAsFarYet: an issuer that makes its list longer has issued a
// token before the list is fetched again.
func TestListThatDoesNotGoAsFarYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, entries := new(listSite), 16
		s.serve(listAt, func() string { return listTokenOf(must(statuslist.New(2, entries)), nil) })
		v := listVerifier(t, s, io.Discard, func(c *IssuerConfig) { c.StatusLists = []string{listAt}; c.AcceptUnknownStatus = true })
		defer v.Close()
		synctest.Wait()
		entries = 32
		advance(30 * time.Second)
		grown, beyond := referring(listAt, 16), referring(listAt, 32)
		judge := func(raw string, want error, status int) {
			t.Helper()
			_, err := v.Verify(raw)
			if wantError(t, err, want); Status(err) != status {
				t.Errorf("status %d; want %d", Status(err), status)
			}
		}
		judge(grown, ErrNotReady, 503)
		advance(2 * time.Minute)
		synctest.Wait()
		judge(grown, nil, 200)
		judge(beyond, ErrStatus, 401)
		s.serve(listAt, nil)
		advance(2 * time.Hour) // what is at hand has expired
		judge(beyond, ErrNotReady, 503)
	})
}
