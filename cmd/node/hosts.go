package main

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"rescind/cmd/node/config"
)

// hostCheck is for listeners on loopback: they take requests for loopback hosts only.
// A page of a foreign site can have its name resolve to 127.0.0.1 (DNS rebinding), and
// then reads what the node answers in the browser of whoever looks at the page; its
// requests carry that name.
//
// A proxy on the same host passes on names of its own. Where http.trusted-proxies has
// a loopback address there is one, and nothing is checked; the host of oauth.issuer is
// taken, and so is every host at /v1/check, which answers only who shows a token.
type hostCheck struct{ now atomic.Pointer[hostRules] }

type hostRules struct {
	off  bool
	also string
}

// follow takes the settings of c.
func (h *hostCheck) follow(c *config.Config) {
	rules := &hostRules{off: slices.ContainsFunc(c.HTTP.TrustedProxies, func(p netip.Prefix) bool {
		return p.Addr().Unmap().IsLoopback() || p.Contains(netip.MustParseAddr("127.0.0.1")) || p.Contains(netip.IPv6Loopback())
	})}
	if u, err := url.Parse(c.OAuth.Issuer); err == nil {
		rules.also = u.Hostname()
	}
	h.now.Store(rules)
}

// handler returns next with the check, if l is on loopback.
func (h *hostCheck) handler(l net.Listener, next http.Handler) http.Handler {
	tcp, ok := l.Addr().(*net.TCPAddr)
	if !ok || !tcp.IP.IsLoopback() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !h.takes(r) {
			http.Error(w, "this node listens on loopback, and takes requests for localhost and loopback addresses only; "+
				"if a proxy on this host passes on other names, set http.trusted-proxies to its address", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (h *hostCheck) takes(r *http.Request) bool {
	rules := h.now.Load()
	if rules == nil {
		rules = new(hostRules)
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	if rules.off || host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") || host == strings.ToLower(rules.also) {
		return true
	}
	if r.URL.Path == "/v1/check" || strings.HasPrefix(r.URL.Path, "/v1/check/") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
