package carrier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// resolveTimeout bounds one look-up of a host's name.
const resolveTimeout = 5 * time.Second

// resolve reads host:port and looks up the host if it is a name. The result is
// not empty and has IPv4 first.
func resolve(ctx context.Context, hostport string) ([]netip.AddrPort, error) {
	host, port, err := splitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(addr.Unmap(), port)}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	all := make([]netip.AddrPort, 0, len(addrs))
	for _, addr := range addrs {
		all = append(all, netip.AddrPortFrom(addr.Unmap(), port))
	}
	slices.SortStableFunc(all, func(a, b netip.AddrPort) int {
		return cmp.Compare(a.Addr().BitLen(), b.Addr().BitLen())
	})
	return slices.Compact(all), nil
}

// lookUp returns the addresses of a seed.
func lookUp(ctx context.Context, seed string) ([]netip.AddrPort, error) {
	name, srv := strings.CutPrefix(seed, srvPrefix)
	if !srv {
		return resolve(ctx, strings.TrimPrefix(seed, dnsPrefix))
	}
	bounded, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	_, records, err := net.DefaultResolver.LookupSRV(bounded, "", "", name)
	if err != nil {
		return nil, err
	}
	found := make([][]netip.AddrPort, len(records))
	errs := make([]error, len(records))
	var targets sync.WaitGroup
	for i, r := range records {
		targets.Go(func() {
			found[i], errs[i] = resolve(ctx, net.JoinHostPort(strings.TrimSuffix(r.Target, "."), strconv.Itoa(int(r.Port))))
		})
	}
	targets.Wait()
	addrs := slices.Concat(found...)
	if len(addrs) == 0 {
		return nil, errors.Join(append(errs, fmt.Errorf("%s has no SRV records with addresses", name))...)
	}
	return addrs, nil
}

func splitHostPort(hostport string) (host string, port uint16, err error) {
	host, service, err := net.SplitHostPort(hostport)
	if err != nil {
		return "", 0, err
	}
	n, err := net.LookupPort("tcp", service)
	return host, uint16(n), err
}

// bindAddress reads the address to listen at; setting names it in errors.
// memberlist itself would take a name that it can't parse for "every
// interface".
func bindAddress(setting, bind string) (netip.AddrPort, error) {
	if strings.HasPrefix(bind, ":") {
		found, err := candidates()
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("%s %q: the interfaces can't be listed: %w", setting, bind, err)
		}
		bind = everywhere(found) + bind
	}
	addrs, err := resolve(context.Background(), bind)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%s %q: %w", setting, bind, err)
	}
	if addrs[0].Addr().Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf("%s %q: addresses with a zone are not supported", setting, bind)
	}
	return addrs[0], nil
}

// everywhere is the host that stands for every interface: of IPv4, unless this host
// has addresses of IPv6 alone.
func everywhere(found []candidate) string {
	if len(found) > 0 && !slices.ContainsFunc(found, func(c candidate) bool { return c.addr.Is4() }) {
		return "[::]"
	}
	return "0.0.0.0"
}

// advertiseAddress returns what other members are told to reach this node at.
// bound has the actual port; advertise is the setting.
func advertiseAddress(bound netip.AddrPort, advertise string) (netip.AddrPort, error) {
	if advertise != "" {
		addrs, err := resolve(context.Background(), advertise)
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("gossip.advertise %q: %w", advertise, err)
		}
		if addrs[0].Addr().IsUnspecified() {
			return netip.AddrPort{}, fmt.Errorf("gossip.advertise %q: nobody can reach this address", advertise)
		}
		return netip.AddrPortFrom(addrs[0].Addr(), cmp.Or(addrs[0].Port(), bound.Port())), nil
	}
	if !bound.Addr().IsUnspecified() {
		return bound, nil
	}
	found, err := candidates()
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("gossip.advertise is not set, and the interfaces can't be listed: %w", err)
	}
	addr, err := choose(found, outgoing(), bound.Addr().Is6())
	return netip.AddrPortFrom(addr, bound.Port()), err
}

// candidate is an address of this host that another host might reach.
type candidate struct {
	iface string
	addr  netip.Addr
}

func candidates() ([]candidate, error) {
	ifaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var found []candidate
	for _, iface := range ifaces {
		if iface.Flags&net.FlagRunning == 0 || iface.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := iface.Addrs()
		if err != nil {
			return nil, err
		}
		for _, a := range addrs {
			prefix, err := netip.ParsePrefix(a.String())
			if err == nil && !prefix.Addr().IsLinkLocalUnicast() {
				found = append(found, candidate{iface.Name, prefix.Addr().Unmap()})
			}
		}
	}
	return found, nil
}

// outgoing returns the source address of packets that leave by the default
// route, of IPv4 or else of IPv6, or the zero Addr. Connecting a UDP socket sends
// nothing; these are documentation addresses.
func outgoing() netip.Addr {
	for _, to := range []struct{ network, address string }{{"udp4", "198.51.100.1:9"}, {"udp6", "[2001:db8::1]:9"}} {
		conn, err := (&net.Dialer{Timeout: time.Second}).Dial(to.network, to.address)
		if err != nil {
			continue
		}
		defer conn.Close()
		return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// Carrier-grade NAT's range (RFC 6598) is what some clouds give to pods.
var sharedRange = netip.MustParsePrefix("100.64.0.0/10")

// choose picks the private address to advertise: the one of the default route,
// else the only one. Among several it does not guess: a bridge's address, such
// as Docker's, is the same on every host.
func choose(found []candidate, out netip.Addr, allow6 bool) (netip.Addr, error) {
	var private []netip.Addr
	for _, c := range found {
		if (c.addr.IsPrivate() || sharedRange.Contains(c.addr)) && (c.addr.Is4() || allow6) {
			private = append(private, c.addr)
		}
	}
	if slices.Contains(private, out) {
		return out, nil
	}
	if len(private) == 1 {
		return private[0], nil
	}
	return netip.Addr{}, errors.New("gossip.advertise is not set and can't be derived, since gossip.bind names every interface and " +
		describe(found, len(private)) + "; set gossip.advertise to the host:port at which other members reach this node")
}

func describe(found []candidate, private int) string {
	if len(found) == 0 {
		return "none of them has an address"
	}
	list := make([]string, len(found))
	for i, c := range found {
		list[i] = c.addr.String() + " (" + c.iface + ")"
	}
	verb := "none of these is usable and private"
	if private > 1 {
		verb = "several of these are private"
	}
	return verb + ": " + strings.Join(list, ", ")
}
