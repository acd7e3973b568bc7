package gossip

import (
	"fmt"
	"slices"
	"time"
)

// A cluster may name its members. Acknowledgements and the staleness bound then go
// by majorities of that list, which meet in at least one member: what a majority
// holds durably is known to whoever has heard a majority since. This is the read
// half of Attiya, Bar-Noy, Dolev, "Sharing Memory Robustly in Message-Passing
// Systems", 1995. docs/protocol.md states the rules by their names, W1 to I3.

// Membership makes a Core one of several named members.
type Membership struct {
	Names     []string // sorted and valid by CheckMembers, Config.Name among them
	Bootstrap bool     // this node may found the cluster with a majority, where the others can't be had

	// State is that of the folder's last commit; the zero value: it has none.
	State RollState

	// Holds says that the folder, which has no State, holds something from before
	// its members were named.
	Holds bool

	// Fresh is random, and becomes the cluster's identity if this node founds it.
	Fresh ClusterID
}

// named is the part of a Core that knows the members by name.
//
// Invariants: have is what the folder holds, and all that is told to others comes
// from it; want is what was decided since. want.Known never goes back, and an entry
// for self beyond own() means that this folder does not count.
type named struct {
	self      string
	origin    Origin
	bootstrap bool
	fresh     ClusterID
	want      RollState
	have      RollState
	dirty     bool          // want is to be stored at once
	stated    bool          // want.Stated has moved, which may wait
	statedAt  time.Duration // when it was last stored
	quorum    majorities    // of want

	sure      bool            // see checkedBy; or this folder has come to count in this life
	checkedBy map[string]bool // who has found in this life that this folder did not go back

	witnesses map[string]*witness
	second    bool          // the witnesses are being asked again
	secondAt  time.Duration // since when

	bound      time.Duration // as of when all that a majority acknowledged is held; see bounded
	bounded    bool
	moved      bool // what bound follows from has changed
	majority   uint64
	everywhere uint64
	replaced   bool              // a majority says that another folder has this node's name
	refused    map[string]string // names of processes that are not heard, and why
	accepted   bool              // an administrator accepts what is lost
}

// witness is a whole member that has noted the incarnation of this folder.
type witness struct {
	voice
	views     []View // what it held durably by then
	held      bool   // all of it is held here
	confirmed bool   // in the second round
}

// proof is what the last echo of a member showed whose vector is held here: all that
// it had stored when it sent that is here.
type proof struct {
	asOf time.Duration // when the heartbeat that it echoes was sent
	roll *Roll
}

// vectorEcho waits until all that its views say is held.
type vectorEcho struct {
	sent  time.Duration
	views []View
	roll  *Roll
}

// namedPeer is what a peer is to the named members.
type namedPeer struct {
	roll   *Roll        // of its last heartbeat; nil: it names no members
	proof  *proof       // nil: nothing is proven yet
	echoes []vectorEcho // that wait, the oldest first

	// counted is up to where it acknowledged our stream while it was whole, and
	// knew what it knew of the others by then, or since.
	counted uint64
	knew    map[string]Incarnation
	list    uint64 // the highest that it is known to know
	heard   bool   // it has echoed a heartbeat of ours in this life
	checked bool   // in its present epoch it has stated no less than is remembered of it
}

func newNamed(cfg Config) *named {
	m := cfg.Members
	n := &named{
		self: cfg.Name, origin: cfg.Origin, bootstrap: m.Bootstrap, fresh: m.Fresh,
		want: m.State.clone(), have: m.State.clone(), refused: map[string]string{}, moved: true,
		checkedBy: map[string]bool{},
	}
	if len(n.want.Names) == 0 { // the folder was made before, or just now
		n.want.Names, n.want.Opened = slices.Clone(m.Names), m.Holds
	}
	if n.want.Known == nil {
		n.want.Known = map[string]Incarnation{}
	}
	if n.want.Stated == nil {
		n.want.Stated = map[string]map[Origin]Position{}
	}
	if n.want.Number > 0 && n.want.Known[n.self].Before(n.own()) {
		n.want.Known[n.self] = n.own()
	}
	n.configure(m.Names)
	n.decided()
	return n
}

// configure takes the setting, which asks for a change of the list only where it
// differs from what it was at the last start: a node that is started late with the
// older setting changes nothing.
func (n *named) configure(names []string) {
	changed := n.want.Configured != nil && !slices.Equal(n.want.Configured, names)
	if changed && n.want.List > 0 && !slices.Equal(n.want.Names, names) &&
		n.want.Before == nil && checkChange(n.want.Names, names) == nil {
		n.want.Before, n.want.Names = n.want.Names, slices.Clone(names)
		n.want.List++
		n.want.Caught = false
	}
	if n.want.List == 0 {
		n.want.Names = slices.Clone(names)
	}
	n.want.Configured = slices.Clone(names)
}

// decided notes that want has changed and is to be stored.
func (n *named) decided() {
	n.dirty, n.moved = true, true
	n.quorum = majoritiesOf(&n.want)
}

// own returns the incarnation of this folder.
func (n *named) own() Incarnation { return Incarnation{n.want.Number, n.origin} }

// whole reports whether this folder counts: durably, and not replaced by another.
func (n *named) whole() bool { return n.have.Whole && n.want.Whole && !n.outdated() }

// counts reports whether this folder counts by now. One that was opened again may have
// gone back to an older copy, so it first has others hold what it states against what
// they remember: that many that, if a majority remembers more, one of these does.
func (n *named) counts() bool { return n.whole() && n.sure }

// outdated reports whether this folder's incarnation is known to be replaced.
func (n *named) outdated() bool { return n.own().Before(n.want.Known[n.self]) }

// unfounded reports whether this folder has never been part of a cluster of named
// members.
func (n *named) unfounded() bool { return n.want.List == 0 }

func (n *named) isMember(name string) bool { return slices.Contains(n.quorum.names, name) }

// roll is what this node tells of the members.
func (c *Core) roll() *Roll {
	r := c.named.roll()
	for i := range r.Entries {
		p := c.memberNamed(r.Entries[i].Name)
		r.Entries[i].Checked = p != nil && p.named.checked
	}
	return r
}

func (n *named) roll() *Roll {
	r := &Roll{
		Cluster: n.have.Cluster, List: n.have.List, Caught: n.have.Caught,
		Whole: n.have.Whole && n.want.Whole, Sure: n.sure, Before: n.have.Opened, Bootstrap: n.bootstrap, Number: n.have.Number, Vote: n.have.Vote,
	}
	names := append(slices.Clone(n.have.Names), without(n.have.Before, n.have.Names)...)
	slices.Sort(names)
	for _, name := range names {
		r.Entries = append(r.Entries, Entry{
			Name: name, InList: slices.Contains(n.have.Names, name), InBefore: slices.Contains(n.have.Before, name),
			Known: n.have.Known[name],
		})
	}
	return r
}

// admits reports whether messages of an origin are taken that is not known yet: only
// a member's heartbeat makes a place for it.
func (n *named) admits(m Message) bool {
	b, ok := m.Body.(*Beat)
	if !ok {
		return false
	}
	switch {
	case !n.isMember(b.Name) && (b.Roll == nil || b.Roll.List <= n.want.List):
		n.refuse(b.Name, "it is not one of cluster.members; set cluster.follow there")
	case b.Roll != nil && n.foreign(b.Roll):
		n.refuse(b.Name, "it belongs to another cluster with the same name and key")
	default:
		delete(n.refused, b.Name)
		return true
	}
	return false
}

// takes reports whether a message is taken: of a member, or of an origin whose
// streams are known already.
func (n *named) takes(p *peer, m Message) bool {
	if p == nil {
		return n.admits(m)
	}
	if _, ok := m.Body.(*Beat); ok {
		return n.admits(m)
	}
	return true
}

// noting reports whether it has been decided and not yet stored that p's folder is
// replaced: what is told until then must prove nothing.
func (n *named) noting(p *peer) bool { return n.want.Known[p.name] != n.have.Known[p.name] }

// settled reports whether there is nothing to store now. A nil n has nothing.
func (n *named) settled(now time.Duration) bool {
	return n == nil || !n.dirty && !(n.stated && now >= n.statedAt+persistView)
}

// write returns what the next commit stores, or nil if nothing has changed.
func (n *named) write(now time.Duration) *RollState {
	if n == nil || !n.dirty && !n.stated {
		return nil
	}
	s := n.want.clone()
	n.dirty, n.stated, n.statedAt = false, false, now
	return &s
}

// stored notes that s is in the folder.
func (n *named) stored(s *RollState) {
	if n != nil && s != nil {
		n.have, n.moved = *s, true
	}
}

// ack acknowledges a member's records up to at.
func (c *Core) ack(of Origin, at Position) *Ack {
	a := &Ack{Of: of, At: at}
	if c.named != nil {
		a.Roll = c.roll()
	}
	return a
}

// Majority returns up to which number of our stream a majority of the named members,
// and all of them, have stored our records. Both are 0 in an open cluster.
func (c *Core) Majority() (majority, everywhere uint64) {
	if c.named == nil {
		return 0, 0
	}
	return min(c.named.majority, c.durable), min(c.named.everywhere, c.durable)
}

// Replaced reports whether a majority of the named members counts another folder
// under this node's name.
func (c *Core) Replaced() bool { return c.named != nil && c.named.replaced }

// NamedElsewhere returns the members that another node's list names, if this one has
// none: it then belongs to no majority and should follow.
func (c *Core) NamedElsewhere() []string { return c.others }

// refuse remembers why a process is not heard, of a bounded number of them.
func (n *named) refuse(name, why string) {
	if _, there := n.refused[name]; there || len(n.refused) < 64 {
		n.refused[name] = why
	}
}

// disagrees reports whether another list has the number of ours: two administrators
// changed it at once.
func (n *named) disagrees(r *Roll) bool {
	names, _ := r.lists()
	return r.List == n.want.List && !slices.Equal(names, n.want.Names)
}

func (n *named) foreign(r *Roll) bool {
	return r.Cluster != ClusterID{} && n.want.Cluster != ClusterID{} && r.Cluster != n.want.Cluster
}

// hear takes what p's heartbeat says of the members. echoed says that it answers our
// heartbeat of the time sent.
func (c *Core) hear(now time.Duration, p *peer, b *Beat, sent time.Duration, echoed bool) {
	n, r := c.named, b.Roll
	if !n.unfounded() {
		n.learnList(r)
	}
	p.named.roll = r
	if r == nil || n.foreign(r) || p.name == n.self {
		return
	}
	if p.named.list < r.List {
		p.named.list, n.moved = r.List, true
	}
	p.named.heard = p.named.heard || echoed
	n.adoptIdentity(r)
	c.note(now, p)
	n.learnOwn(p)
	if echoed { // else it may be older than what was stated before this node's start
		c.compareStated(p, b)
	}
	if echoed && r.Whole && r.checked(n.self) {
		n.checkedBy[p.name] = true
	}
	if r.counts() {
		p.count(r, 0)
		if echoed {
			p.queueEcho(vectorEcho{sent, b.Views, r})
		}
	}
	if echoed && n.reads(r) {
		c.witness(p, b, sent)
	}
	n.moved = true
}

// learnList takes a later list, or that the one before no longer counts.
func (n *named) learnList(r *Roll) {
	if r == nil || !r.Whole || n.foreign(r) {
		return
	}
	names, before := r.lists()
	switch {
	case r.List > n.want.List && CheckMembers(names) == nil && len(before) <= MaxMembers:
		n.want.List, n.want.Names, n.want.Before, n.want.Caught = r.List, names, before, false
	case r.List == n.want.List && before == nil && n.want.Before != nil && slices.Equal(names, n.want.Names):
		n.want.Before = nil
	default:
		return
	}
	n.decided()
}

// adoptIdentity takes the identity that the cluster got from its founder.
func (n *named) adoptIdentity(r *Roll) {
	if n.want.Cluster == (ClusterID{}) && r.Whole && r.Cluster != (ClusterID{}) && !n.unfounded() {
		n.want.Cluster = r.Cluster
		n.decided()
	}
}

// note keeps in mind that p's folder is a later incarnation of its name. Only a whole
// member is a witness, and nobody takes the name of a member that is alive.
func (c *Core) note(now time.Duration, p *peer) {
	n, is := c.named, p.incarnation()
	known := n.want.Known[p.name]
	if is.Number == 0 || !known.Before(is) || !n.isMember(p.name) || !n.whole() {
		return
	}
	if q := c.peers[known.Origin]; q != nil && q != p && q.alive(now) && q.named.roll != nil {
		n.refuse(p.name, fmt.Sprintf("another process with this name and an older folder (%v) is alive; stop one of them", q.origin))
		return
	}
	delete(n.refused, p.name)
	n.want.Known[p.name] = is
	delete(n.want.Stated, p.name)
	n.decided()
}

// learnOwn takes what p knows of this node's own name. That this folder is behind an
// older state of itself is believed of any whole member: it costs a round of
// witnesses. That another folder took the name must be said by a majority.
func (n *named) learnOwn(p *peer) {
	known := p.named.roll.known(n.self)
	if !p.named.roll.Whole || !n.own().Before(known) || n.want.Number == 0 {
		return
	}
	if (known.Origin == 0 || known.Origin == n.origin) && n.want.Known[n.self].Before(known) {
		n.want.Whole, n.want.Known[n.self] = false, known
		n.want.Number, n.witnesses = 0, nil
		n.decided()
	}
}

// compareStated holds what p says it holds durably against what it said before. A
// folder that goes back does not count until it has become a new incarnation.
func (c *Core) compareStated(p *peer, b *Beat) {
	n, is := c.named, p.incarnation()
	known := n.want.Known[p.name]
	if !n.whole() || known.Origin != p.origin {
		return
	}
	before, now := n.want.Stated[p.name], make(map[Origin]Position, len(b.Views))
	back := len(before) > 0 && (is.Before(known) || !p.named.roll.Whole || b.Previous.before(before[p.origin], p.epoch))
	same := len(before) == len(b.Views)
	for _, v := range b.Views {
		at := v.At
		if !v.Based {
			at = v.Past
		}
		if before[v.Origin].Before(at) {
			same = false
		} else {
			at = before[v.Origin]
		}
		now[v.Origin] = at
	}
	for o, at := range before {
		i := slices.IndexFunc(b.Views, func(v View) bool { return v.Origin == o })
		back = back || at != Position{} && (i < 0 || !b.Views[i].states(at))
	}
	switch {
	case back:
		n.want.Known[p.name] = Incarnation{Number: known.Number + 1}
		delete(n.want.Stated, p.name)
		n.refuse(p.name, "its folder went back to an older copy; it counts again when a majority has told it what it lacks")
		n.decided()
	case !same && p.named.roll.Whole:
		n.want.Stated[p.name], n.stated = now, true
	}
	p.named.checked = !back
}

// before reports whether an epoch that builds on p lacks what was held at at.
func (p Position) before(at Position, epoch uint64) bool { return at.Epoch < epoch && p.Before(at) }

// states reports whether v says that all up to at is held. A base that was thought
// complete and is not takes nothing back of what is held.
func (v View) states(at Position) bool {
	switch {
	case at == Position{} || !v.Past.Before(at):
		return true
	case v.At.Epoch == at.Epoch:
		return v.At.Seq >= at.Seq
	default:
		return v.At.Epoch > at.Epoch && v.Based
	}
}

func (p *peer) incarnation() Incarnation {
	if p.named.roll == nil {
		return Incarnation{}
	}
	return Incarnation{p.named.roll.Number, p.origin}
}

// queueEcho keeps the oldest echoes that wait, or a busy cluster would never prove
// anything, and the latest.
func (p *peer) queueEcho(e vectorEcho) {
	if len(p.named.echoes) == maxPending {
		p.named.echoes = p.named.echoes[:maxPending-1]
	}
	p.named.echoes = append(p.named.echoes, e)
}

// count takes p's acknowledgement of our stream up to seq, sent while it was whole.
func (p *peer) count(r *Roll, seq uint64) {
	if p.named.knew == nil {
		p.named.knew = map[string]Incarnation{}
	}
	for _, e := range r.Entries {
		if p.named.knew[e.Name].Before(e.Known) {
			p.named.knew[e.Name] = e.Known
		}
	}
	p.named.counted, p.named.list = max(p.named.counted, seq), max(p.named.list, r.List)
}
