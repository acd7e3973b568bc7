package carrier

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// rememberGone is how long a member that left or died stays listed, unless it
// comes back.
const rememberGone = 10 * time.Minute

// member is one process in memberlist's view. Each process joins under a
// memberlist name of its own (see uniqueName), so a restarted node is a new
// member and its predecessor goes away by itself.
type member struct {
	peer Peer // State and Since are guarded by roster.mu, the rest is fixed
	node *memberlist.Node
	addr netip.AddrPort
	seq  uint64 // order of appearance
	lane lane

	path    atomic.Pointer[Path] // nil: not checked yet
	checkAt atomic.Int64         // when the path is checked next, in Unix nanoseconds
}

// roster keeps the other members. memberlist's own list does not tell a member
// that left from one that died, and is reached only by a lock that is held
// during its callbacks.
type roster struct {
	self string // our memberlist name

	mu     sync.Mutex // guards the fields below; nothing is sent under it
	all    map[string]*member
	seq    uint64
	leaver map[string]time.Time // said goodbye before we heard of their joining

	reach atomic.Pointer[[]*member] // alive, newest first, one per address; never modified
}

// join takes in a member that is alive, new or back, and returns the one that
// it replaces, if any. n is memberlist's and only lent.
func (r *roster) join(n *memberlist.Node, now time.Time) (old *member, err error) {
	node := *n
	id, name, err := parseMetadata(node.Meta)
	if err != nil {
		name = node.Name
	}
	ip, _ := netip.AddrFromSlice(node.Addr) // memberlist has checked it
	m := &member{node: &node, addr: netip.AddrPortFrom(ip.Unmap(), node.Port), peer: Peer{Node: id, Name: name, Address: node.Address(), State: PeerAlive, Since: now}}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.prune(now)
	if _, left := r.leaver[node.Name]; left {
		m.peer.State = PeerLeft
	}
	old = r.all[node.Name]
	r.seq++
	m.seq = r.seq
	r.all[node.Name] = m
	r.publish()
	return old, err
}

// gone marks a member dead, unless it had said goodbye.
func (r *roster) gone(name string, now time.Time) *member { return r.mark(name, PeerDead, now) }

// goodbye marks a member left. It may come before memberlist's own news of the
// leaving, which looks like that of a death, or after it, or before the news
// of the joining.
func (r *roster) goodbye(name string, now time.Time) *member { return r.mark(name, PeerLeft, now) }

// mark returns the member if its state changed.
func (r *roster) mark(name string, state PeerState, now time.Time) *member {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.all[name]
	if state == PeerLeft && len(r.leaver) < 1000 {
		r.leaver[name] = now
	}
	if m == nil || m.peer.State == PeerLeft || m.peer.State == state {
		return nil
	}
	m.peer.State, m.peer.Since = state, now
	r.publish()
	return m
}

// prune forgets members that went away long ago. r.mu is held.
func (r *roster) prune(now time.Time) {
	for name, m := range r.all {
		if m.peer.State != PeerAlive && now.Sub(m.peer.Since) > rememberGone {
			delete(r.all, name)
		}
	}
	for name, at := range r.leaver {
		if now.Sub(at) > rememberGone {
			delete(r.leaver, name)
		}
	}
}

// publish rebuilds what senders read. r.mu is held. A node that crashed and
// came back at its old address is listed twice until memberlist has noticed;
// the newest stands for the address.
func (r *roster) publish() {
	alive := make([]*member, 0, len(r.all))
	for _, m := range r.all {
		if m.peer.State == PeerAlive {
			alive = append(alive, m)
		}
	}
	slices.SortFunc(alive, func(a, b *member) int { return cmp.Compare(b.seq, a.seq) })
	seen := make(map[string]bool, len(alive))
	alive = slices.DeleteFunc(alive, func(m *member) bool {
		again := seen[m.peer.Address]
		seen[m.peer.Address] = true
		return again
	})
	r.reach.Store(&alive)
}

// reachable returns the members to send to; the caller must not modify it.
func (r *roster) reachable() []*member { return *r.reach.Load() }

// has reports whether a member is reached at the address.
func (r *roster) has(a netip.Addr) bool {
	return slices.ContainsFunc(r.reachable(), func(m *member) bool { return m.addr.Addr() == a })
}

// find returns the newest reachable member of node, or nil.
func (r *roster) find(node Node) *member {
	for _, m := range r.reachable() {
		if m.peer.Node == node && node != 0 {
			return m
		}
	}
	return nil
}

// peers lists every member, by name. Of those that went away it leaves out the
// ones whose node is alive again.
func (r *roster) peers(now time.Time) []Peer {
	r.mu.Lock()
	r.prune(now)
	peers := make([]Peer, 0, len(r.all))
	back := make(map[Node]bool, len(r.all))
	for _, m := range r.all {
		peers = append(peers, m.peer)
		back[m.peer.Node] = back[m.peer.Node] || m.peer.State == PeerAlive
	}
	r.mu.Unlock()
	peers = slices.DeleteFunc(peers, func(p Peer) bool { return p.State != PeerAlive && p.Node != 0 && back[p.Node] })
	slices.SortFunc(peers, func(a, b Peer) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Address, b.Address))
	})
	return peers
}

func newRoster(self string) *roster {
	r := &roster{self: self, all: make(map[string]*member), leaver: make(map[string]time.Time)}
	r.reach.Store(new([]*member))
	return r
}
