package httpapi

import (
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestRemote(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	})
	for name, c := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"direct":                     {"192.0.2.1:99", nil, "192.0.2.1"},
		"a stranger's header":        {"192.0.2.1:99", []string{"198.51.100.7"}, "192.0.2.1"},
		"behind a proxy":             {"10.1.2.3:99", []string{"198.51.100.7"}, "198.51.100.7"},
		"behind two":                 {"10.1.2.3:99", []string{"198.51.100.7, 10.9.9.9"}, "198.51.100.7"},
		"what the client invented":   {"10.1.2.3:99", []string{"127.0.0.1, 198.51.100.7"}, "198.51.100.7"},
		"in two headers":             {"10.1.2.3:99", []string{"127.0.0.1", "198.51.100.7"}, "198.51.100.7"},
		"a proxy that sends nothing": {"10.1.2.3:99", nil, "10.1.2.3"},
		"nonsense":                   {"10.1.2.3:99", []string{"198.51.100.7, unknown"}, "10.1.2.3"},
		"IPv6":                       {"[fd00::1]:99", []string{"2001:db8::1"}, "2001:db8::1"},
		"IPv4 in IPv6":               {"[::ffff:10.1.2.3]:99", []string{"198.51.100.7"}, "198.51.100.7"},
		"with a port":                {"10.1.2.3:99", []string{"198.51.100.7:51234"}, "198.51.100.7"},
		"IPv6 with a port":           {"10.1.2.3:99", []string{"[2001:db8::1]:51234"}, "2001:db8::1"},
		"IPv6 in brackets":           {"10.1.2.3:99", []string{"[2001:db8::1]"}, "2001:db8::1"},
		"proxies with ports":         {"10.1.2.3:99", []string{"198.51.100.7:1, 10.9.9.9:2"}, "198.51.100.7"},
		"no address":                 {"@", nil, "@"},
	} {
		req := httptest.NewRequest("GET", "/", nil)
		req.RemoteAddr = c.peer
		req.Header["X-Forwarded-For"] = c.forwarded
		if got := r.api.remote(req); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestNetworkOfAClient: a host that has a whole IPv6 network is one client.
func TestNetworkOfAClient(t *testing.T) {
	for client, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:2::9": "2001:db8:1:2::/64", "@": "@",
	} {
		if got := network(client); got != want {
			t.Errorf("%s counts as %s, want %s", client, got, want)
		}
	}
}
