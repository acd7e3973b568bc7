package httpapi

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rescind/cluster"
	"rescind/filter"
)

// A caller that comes near its rate is counted before it is refused, and one that
// stays well below is not.
func TestNearTheRate(t *testing.T) {
	for perSecond, c := range map[int]struct{ near, refused bool }{7: {false, false}, 9: {true, false}, 12: {true, true}} {
		synctest.Test(t, func(t *testing.T) {
			stats := new(limitStats)
			l := newLimit(10, stats)
			for range 60 * perSecond {
				l.allow("x")
				time.Sleep(time.Second / time.Duration(perSecond))
			}
			if (stats.near.Load() > 0) != c.near || (stats.refused.Load() > 0) != c.refused {
				t.Errorf("%d a second of 10: %d near, %d refused", perSecond, stats.near.Load(), stats.refused.Load())
			}
		})
	}
}

// The share of a limit that is used up is of number or bytes, whichever is more.
func TestUsedRatio(t *testing.T) {
	r := newRig(t, func(c *Config) { c.AdminRate = 1 })
	for _, c := range []struct {
		total, max, bytes, maxBytes int
		want                        []string
	}{
		{40, 100, 10, 0, []string{"rescind_revocations_used_ratio 0.4\n"}},
		{40, 100, 80, 100, []string{"rescind_revocations_used_ratio 0.8\n", "rescind_revocations_bytes_limit 100\n"}},
		{90, 100, 80, 100, []string{"rescind_revocations_used_ratio 0.9\n"}},
	} {
		r.node.status = cluster.Status{Total: c.total, Max: c.max, MaxBytes: c.maxBytes, Filter: filter.Stats{Bytes: c.bytes}}
		page := r.do("GET", "/metrics", "", "", "").Body.String()
		for _, want := range c.want {
			if !strings.Contains(page, want) {
				t.Errorf("%+v: the metrics lack %s", c, want)
			}
		}
		if strings.Contains(page, "rescind_revocations_bytes_limit ") != (c.maxBytes > 0) {
			t.Errorf("%+v: a limit of bytes", c)
		}
	}
	r.node.status = cluster.Status{Total: 6, Max: 1000, Store: cluster.StoreStats{SharedBytes: 950, SharedLimit: 1000}}
	full := r.do("GET", "/metrics", "", "", "").Body.String()
	for _, want := range []string{"rescind_revocations_used_ratio 0.95\n", "rescind_store_stream_bytes 950\n", "rescind_store_stream_limit_bytes 1000\n"} {
		if !strings.Contains(full, want) {
			t.Errorf("of a stream that is nearly full the metrics lack %s", want)
		}
	}
	for range 5 {
		r.do("GET", "/v1/cluster", testAdmin, "", "")
	}
	page := r.do("GET", "/metrics", "", "", "").Body.String()
	for limit, want := range map[string]int{"admin": 3, "client": 0, "secret": 0} {
		if line := fmt.Sprintf("rescind_rate_limited_total{limit=%q} %d\n", limit, want); !strings.Contains(page, line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
}

// TestAnonymousRate: whoever has nothing but tokens is bounded by default, and
// nobody else: no check, no administrator, no client that authenticates, and none
// of those whom an address may hide.
func TestAnonymousRate(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.AnonymousRate = 1
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("198.51.100.77/32")}
		c.Clients = []Client{{ID: "backend", SecretHash: hashed(t, "secret")}, {ID: "spa"}}
	})
	n := 0
	from := func(addr, method, target, bearer, body string, header ...string) int {
		n++
		req := newReq(t, method, target, body, "application/x-www-form-urlencoded")
		req.RemoteAddr = addr + ":1"
		if bearer != "" {
			req.Header.Set("Authorization", bearer)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		return r.send(req).Code
	}
	fresh := func() string { n++; return access(t, "jti", fmt.Sprint(n), "sid", fmt.Sprint(n)) }
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("backend:secret"))
	for name, c := range map[string]struct {
		ask     func() int
		bounded bool
	}{
		"revoke":  {func() int { return from("203.0.113.1", "POST", "/oauth2/revoke", "", "token="+fresh()) }, true},
		"public":  {func() int { return from("203.0.113.2", "POST", "/oauth2/revoke", "", "client_id=spa&token="+fresh()) }, true},
		"log out": {func() int { return from("203.0.113.3", "DELETE", "/v1/session", "Bearer "+fresh(), "") }, true},
		"a network": {func() int {
			n++
			return from(fmt.Sprintf("[2001:db8::%x]", n), "POST", "/oauth2/revoke", "", "token="+fresh())
		}, true},
		"by a proxy": {func() int {
			return from("198.51.100.77", "POST", "/oauth2/revoke", "", "token="+fresh(), "X-Forwarded-For", "203.0.113.4")
		}, true},
		"a proxy itself": {func() int { return from("198.51.100.77", "POST", "/oauth2/revoke", "", "token="+fresh()) }, false},
		"private":        {func() int { return from("10.1.2.3", "POST", "/oauth2/revoke", "", "token="+fresh()) }, false},
		"loopback":       {func() int { return from("127.0.0.1", "DELETE", "/v1/session", "Bearer "+fresh(), "") }, false},
		"a client":       {func() int { return from("203.0.113.5", "POST", "/oauth2/revoke", basic, "token="+fresh()) }, false},
		"a check":        {func() int { return from("203.0.113.6", "GET", "/v1/check", "Bearer "+fresh(), "") }, false},
		"an administrator": {func() int {
			return from("203.0.113.7", "POST", "/v1/revocations", "Bearer "+testAdmin, `{"scope":"jti","id":"x"}`, "Content-Type", "application/json")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			limited := 0
			for range 20 {
				switch status := c.ask(); {
				case status == 429:
					limited++
				case status >= 300 && status != 400: // of another client: the token's is app
					t.Fatalf("status %d", status)
				}
			}
			if (limited > 0) != c.bounded {
				t.Errorf("%d of 20 are refused", limited)
			}
		})
	}
}
