package httpapi

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// remote returns the address of r's client without its port. That is the peer,
// unless the peer is one of Config.TrustedProxies: then it is the last address
// in X-Forwarded-For that is not. What stands before it may be the client's
// invention.
func (a *API) remote(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr // a Unix socket, or a test
	}
	client := peer.Addr().Unmap()
	trusted := a.termsOf(r).trustedProxies
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !isTrusted(trusted, client) {
			break
		}
		next, err := hopAddr(strings.Trim(hop, " \t"))
		if err != nil {
			break
		}
		client = next.Unmap()
	}
	return client.String()
}

// hopAddr reads what a proxy has written of its client: an address, in brackets or
// not, and with a port behind it as some gateways do.
func hopAddr(hop string) (netip.Addr, error) {
	if withPort, err := netip.ParseAddrPort(hop); err == nil {
		return withPort.Addr(), nil
	}
	if inner, ok := strings.CutPrefix(hop, "["); ok && strings.HasSuffix(inner, "]") {
		hop = strings.TrimSuffix(inner, "]")
	}
	return netip.ParseAddr(hop)
}

// network is the address by which a client is counted: of IPv6 the first 64 bits,
// of which every host can use all others.
func network(client string) string {
	address, err := netip.ParseAddr(client)
	if err != nil || address.Is4() {
		return client
	}
	prefix, err := address.Prefix(64)
	if err != nil {
		return client
	}
	return prefix.String()
}

func isTrusted(proxies []netip.Prefix, proxy netip.Addr) bool {
	return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(proxy) })
}
