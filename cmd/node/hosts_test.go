package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"rescind/cmd/node/config"
)

// TestAttackRebinding: a foreign site whose name resolves to loopback reads nothing of a
// node there: neither tokens of the demo issuer, nor metrics.
func TestAttackRebinding(t *testing.T) {
	loopback := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	for name, c := range map[string]struct {
		at     net.Addr
		args   []string
		host   string
		path   string
		answer int
	}{
		"localhost":                 {loopback, nil, "localhost:8080", "/metrics", 200},
		"an address":                {loopback, nil, "127.0.0.1:8080", "/demo/login", 200},
		"another of them":           {loopback, nil, "127.9.9.9", "/metrics", 200},
		"IPv6":                      {loopback, nil, "[::1]:8080", "/metrics", 200},
		"no host":                   {loopback, nil, "", "/metrics", 200},
		"with a dot":                {loopback, nil, "node1.localhost.:8080", "/metrics", 200},
		"a foreign name":            {loopback, nil, "attacker.example:8080", "/demo/login", 421},
		"a foreign name, metrics":   {loopback, nil, "attacker.example", "/metrics", 421},
		"one that looks like it":    {loopback, nil, "localhost.attacker.example", "/", 421},
		"one that begins like it":   {loopback, nil, "127.0.0.1.attacker.example", "/", 421},
		"a foreign address":         {loopback, nil, "192.0.2.1:8080", "/", 421},
		"forward-auth":              {loopback, nil, "api.example", "/v1/check/orders", 200},
		"not forward-auth":          {loopback, nil, "api.example", "/v1/checks", 421},
		"behind a proxy here":       {loopback, []string{"--http.trusted-proxies=127.0.0.1"}, "api.example", "/", 200},
		"behind a proxy elsewhere":  {loopback, []string{"--http.trusted-proxies=192.0.2.1"}, "api.example", "/", 421},
		"the name that clients use": {loopback, []string{"--oauth.issuer=https://login.example", "--oauth.key-file=x"}, "LOGIN.example:443", "/", 200},
		"not on loopback":           {&net.TCPAddr{IP: net.IPv4(192, 0, 2, 7)}, nil, "api.example", "/", 200},
		"everywhere":                {&net.TCPAddr{IP: net.IPv6unspecified}, nil, "api.example", "/", 200},
	} {
		cfg, err := config.Loader{Args: c.args}.Load()
		if err != nil {
			t.Fatal(err)
		}
		check := new(hostCheck)
		check.follow(cfg)
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", c.path, nil)
		r.Host = c.host
		check.handler(fixedListener{c.at}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		if w.Code != c.answer {
			t.Errorf("%s: %d, want %d", name, w.Code, c.answer)
		}
	}
}

// fixedListener is a listener that is only asked where it listens.
type fixedListener struct{ at net.Addr }

func (l fixedListener) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (l fixedListener) Close() error              { return nil }
func (l fixedListener) Addr() net.Addr            { return l.at }
