package recipes_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rescind"
)

func TestProxies(t *testing.T) {
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			s := newSite(t)
			url := p.start(t, s)
			s.meet(t)
			t.Run("answers", func(t *testing.T) { answers(t, s, url) })
			t.Run("passes on", func(t *testing.T) { passesOn(t, url) })
			t.Run("revocations arrive", func(t *testing.T) { revocationsArrive(t, s, url) })
			t.Run("node down", func(t *testing.T) {
				s.asked.CloseClientConnections()
				s.asked.Close()
				if resp := ask(t, "GET", url, mint(t, "late"), ""); resp.StatusCode < 500 {
					t.Errorf("without a node the proxy answers %d", resp.StatusCode)
				}
			})
		})
	}
}

func revoke(t *testing.T, s *site, jti string) {
	t.Helper()
	rev := rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: issuer, ID: jti}}
	if _, err := s.other.Revoke(t.Context(), rev, rescind.AckAll); err != nil {
		t.Error(err)
	}
}

func answers(t *testing.T, s *site, url string) {
	revoke(t, s, "gone")
	for name, c := range map[string]struct {
		raw, path string
		headers   []string
		status    int
		challenge bool
		retry     bool
	}{
		"valid":             {raw: mint(t, "a"), status: 200},
		"none":              {status: 401, challenge: true},
		"forged":            {raw: mint(t, "a") + "A", status: 401, challenge: true},
		"revoked":           {raw: mint(t, "gone"), status: 401, challenge: true},
		"expired":           {raw: mint(t, "a", "exp", time.Now().Add(-time.Hour).Unix()), status: 401, challenge: true},
		"another audience":  {raw: mint(t, "a", "aud", "other"), status: 401, challenge: true},
		"stale":             {raw: mint(t, "a"), headers: []string{"Rescind-Max-Staleness", "1ns"}, status: 503, retry: true},
		"revoked and stale": {raw: mint(t, "gone"), headers: []string{"Rescind-Max-Staleness", "1ns"}, status: 401, challenge: true},
		"the backend's 500": {raw: mint(t, "a"), path: "/broken", status: 500},
		"a path with dots":  {raw: mint(t, "a"), path: "/a/..%2fb//c?x=1&require_aud=other", status: 200},
	} {
		t.Run(name, func(t *testing.T) {
			resp := ask(t, "GET", url+c.path, c.raw, "", c.headers...)
			if resp.StatusCode != c.status {
				t.Errorf("status %d, want %d", resp.StatusCode, c.status)
			}
			if got := resp.Header.Get("WWW-Authenticate") != ""; got != c.challenge {
				t.Errorf("WWW-Authenticate is %q", resp.Header.Get("WWW-Authenticate"))
			}
			if got := resp.Header.Get("Retry-After") != ""; got != c.retry {
				t.Errorf("Retry-After is %q", resp.Header.Get("Retry-After"))
			}
		})
	}
}

// passesOn: every method and body, and of the identity only what the token says.
func passesOn(t *testing.T, url string) {
	identity := []string{"X-Auth-Issuer", "forged", "X-Auth-Subject", "root", "X-Auth-Session", "forged", "X-Auth-Token-Id", "forged"}
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		resp := ask(t, method, url+"/x", mint(t, "b", "sid", nil), "body of ten", identity...)
		var got seen
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: status %d, %v", method, resp.StatusCode, err)
		}
		if got.Method != method || got.Body != len("body of ten") {
			t.Errorf("%s arrives as %s with %d bytes", method, got.Method, got.Body)
		}
		for name, want := range map[string]string{"X-Auth-Issuer": issuer, "X-Auth-Subject": "alice", "X-Auth-Session": "", "X-Auth-Token-Id": "b"} {
			if values := got.Header.Values(name); len(values) > 1 || got.Header.Get(name) != want {
				t.Errorf("%s: %s arrives as %q, want %q", method, name, values, want)
			}
		}
	}
	tricks(t, url)
}

// tricks: another spelling that some backends take for the same name, and a
// Connection header that has the identity dropped on the way.
func tricks(t *testing.T, url string) {
	for _, sent := range [][]string{
		{"X_Auth_Subject", "root", "X_Auth_Session", "forged", "X-Auth_Token_Id", "forged"},
		{"X.Auth.Subject", "root", "x~auth~session", "forged", "X!auth-Token'Id", "forged"},
		{"Connection", "X-Auth-Subject, X-Auth-Token-Id"},
	} {
		resp := ask(t, "GET", url+"/x", mint(t, "b", "sid", nil), "", sent...)
		if resp.StatusCode >= 400 && resp.StatusCode < 500 {
			continue // refused altogether
		}
		var got seen
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%q: status %d, %v", sent, resp.StatusCode, err)
		}
		if got.Header.Get("X-Auth-Subject") != "alice" || got.Header.Get("X-Auth-Token-Id") != "b" {
			t.Errorf("%q: the identity arrives as %q", sent, got.Header)
		}
		for name, values := range got.Header {
			if alias := plain(name); alias != name && strings.Contains(alias, "x-auth-") && !identities[name] {
				t.Errorf("%s: %q passes", name, values)
			}
		}
	}
}

var identities = map[string]bool{"X-Auth-Issuer": true, "X-Auth-Subject": true, "X-Auth-Session": true, "X-Auth-Token-Id": true}

// plain is a header's name as CGI and its like read it: whatever is no letter or
// digit is the same to them.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
}

const (
	requests = 1000
	tokens   = 100
	revoked  = tokens / 2 // the odd ones, one by one
)

// revocationsArrive sends 1,000 requests while half of their tokens are revoked on
// the other node: from when that node says that all have it, none gets through.
func revocationsArrive(t *testing.T, s *site, url string) {
	var raws [tokens]string
	var gone [tokens]atomic.Bool
	for i := range raws {
		raws[i] = mint(t, fmt.Sprint("load-", i))
	}
	next, turns := make(chan struct{}), make(chan int)
	var all sync.WaitGroup
	all.Go(func() {
		for i := 1; i < tokens; i += 2 {
			<-next
			revoke(t, s, fmt.Sprint("load-", i))
			gone[i].Store(true)
		}
		for range next { // until no more requests come
		}
	})
	var refused atomic.Int64
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for n := range turns {
				i := n * 37 % tokens // each token ten times, in no order
				before := gone[i].Load()
				status := get(t, url, raws[i])
				switch {
				case before && status != http.StatusUnauthorized:
					t.Errorf("a revoked token is answered by %d", status)
				case i%2 == 0 && status != http.StatusOK:
					t.Errorf("a token that nobody revoked is answered by %d", status)
				}
				if status == http.StatusUnauthorized {
					refused.Add(1)
				}
			}
		})
	}
	for n := range requests {
		if n%(requests/revoked) == 0 {
			next <- struct{}{}
		}
		turns <- n
	}
	close(turns)
	workers.Wait()
	close(next)
	all.Wait()
	t.Logf("%d requests, %d refused while %d tokens were revoked one by one", requests, refused.Load(), revoked)
	for i := range raws {
		want := http.StatusOK
		if i%2 == 1 {
			want = http.StatusUnauthorized
		}
		if status := get(t, url, raws[i]); status != want {
			t.Errorf("token %d is answered by %d at the end, want %d", i, status, want)
		}
	}
}

// get is ask for many goroutines; 0 is no answer.
func get(t *testing.T, url, raw string) int {
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+raw)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return 0
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return resp.StatusCode
}
