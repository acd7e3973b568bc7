package admission

import (
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// shareOf and keptOf say what part of a room one address may take, and what part
	// is kept for those who are known.
	shareOf = 4
	keptOf  = 8

	// sayEvery is how often the log says that a room was full, at most.
	sayEvery = time.Second
)

// Room is a quantity of something that strangers take and give back. Its methods are
// safe for concurrent use, and never wait. A nil one has room for everybody.
type Room struct {
	name  string
	most  int64
	log   *slog.Logger
	known atomic.Pointer[func(netip.Addr) bool] // nil: loopback alone

	mu   sync.Mutex // guards the fields below
	used int64
	by   map[netip.Addr]int64 // by address, of IPv6 its first 64 bits; no entry is 0

	refused atomic.Uint64
	said    Seldom
}

// Stats is the state of a room at one moment.
type Stats struct {
	Name       string // of what it has room for
	Used, Most int64
	Refused    uint64 // how often there was no room
}

// NewRoom returns a room for most of what name says, which is at least 1. log nil
// means slog.Default().
func NewRoom(name string, most int64, log *slog.Logger) *Room {
	if log == nil {
		log = slog.Default()
	}
	return &Room{name: name, most: max(most, 1), log: log, by: map[netip.Addr]int64{}, said: Seldom{Period: sayEvery}}
}

// SetKnown says of which addresses besides loopback the share has no bound and for
// whom a part is kept. known must not block.
func (r *Room) SetKnown(known func(netip.Addr) bool) {
	if r != nil {
		r.known.Store(&known)
	}
}

// Take reports whether there is room for n more of the address, which then must be
// given back.
func (r *Room) Take(from netip.Addr, n int64) bool {
	if r == nil {
		return true
	}
	from = from.Unmap()
	known, key := r.isKnown(from), network(from)
	r.mu.Lock()
	most, share := r.most, r.most
	if !known {
		most, share = r.most-r.most/keptOf, max(r.most/shareOf, 1)
	}
	mine := r.by[key] + n
	ok := r.used+n <= most && mine <= share
	if ok {
		r.used += n
		r.by[key] = mine
	}
	all := r.used
	r.mu.Unlock()
	if !ok {
		r.refuse(key, !known && mine > share, all)
	}
	return ok
}

// Give gives n back that Take granted to the address.
func (r *Room) Give(from netip.Addr, n int64) {
	if r == nil {
		return
	}
	key := network(from.Unmap())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used -= n
	if r.by[key] -= n; r.by[key] <= 0 {
		delete(r.by, key)
	}
}

func (r *Room) refuse(from netip.Addr, share bool, used int64) {
	r.refused.Add(1)
	if muted, ok := r.said.Allow(time.Now()); ok {
		r.log.Warn("refused, there is no room", "for", r.name, "address", from.String(), "share_used_up", share, "used", used, "room", r.most, "muted", muted)
	}
}

// Stats returns the state of this moment.
func (r *Room) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Stats{Name: r.name, Used: r.used, Most: r.most, Refused: r.refused.Load()}
}

func (r *Room) isKnown(a netip.Addr) bool {
	if !a.IsValid() || a.IsLoopback() { // no address: a Unix socket
		return true
	}
	known := r.known.Load()
	return known != nil && (*known)(a)
}

// network is the address by which a client is counted: of IPv6 the first 64 bits,
// of which every host can use all others.
func network(a netip.Addr) netip.Addr {
	if a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
