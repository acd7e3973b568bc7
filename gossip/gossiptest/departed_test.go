package gossiptest

import (
	"testing"
	"time"

	"rescind"
	"rescind/gossip"
	"rescind/internal/identity"
)

// passers are members of which only the messages exist: each comes, revokes once, and
// leaves, as pods do.
type passers struct {
	scenario
	next int
}


// pass lets one come and go. Nodes for which except is true hear nothing of it.
func (p *passers) pass(except func(i int) bool) {
	p.next++
	record := extra(uint64(p.next), uint64(p.next)<<8)
	record.ExpiresAt = p.trueTime().Add(12 * time.Hour)
	p.written[record.Digest] = record
	key := identity.Of([identity.SeedSize]byte{200, byte(p.next), byte(p.next >> 8)})
	for to, n := range p.nodes {
		for i, body := range []gossip.Body{
			&gossip.Beat{N: 1, Name: "passer", Synced: true, Head: 1, Views: []gossip.View{
				{Origin: n.origin, At: gossip.Position{Epoch: n.disk.epoch}, Echo: n.beatN}}},
			&gossip.Batch{First: 1, Head: 1, Records: []rescind.Record{record}},
			&gossip.Leave{Head: 1},
		} {
			m := gossip.Message{From: gossip.Origin(key.Origin()), Epoch: uint64(dawn), Clock: p.trueTime(), Body: body}
			m.Sign(key)
			at := p.now + time.Duration(i+1)*tick
			if n.core != nil && (except == nil || !except(to)) {
				p.queue[at] = append(p.queue[at], delivery{from: to, to: to, bytes: m.Append(nil)})
			}
		}
	}
}

func newPassers(t *testing.T, opt Options) *passers {
	opt.Commit = 4 * time.Millisecond
	p := &passers{scenario: scenario{New(1, opt), t}}
	p.lasting, p.scanPart = true, 8192
	return p
}

// worstBound runs on and returns the largest bound of the nodes meanwhile; -1 if one
// could not state any.
func (p *passers) worstBound(d time.Duration, nodes ...int) (worst time.Duration) {
	for end := p.now + d; p.now < end; {
		p.run(tick)
		for _, i := range nodes {
			asOf, known := p.nodes[i].core.Staleness(p.now)
			if !known {
				return -1
			}
			worst = max(worst, p.now-asOf)
		}
	}
	return worst
}

// TestLeaversDoNotSlowTheLiving: the bound of three members that stay is the same after
// a thousand others have come and left. A newcomer is ready all the same only with all
// that those had revoked.
func TestLeaversDoNotSlowTheLiving(t *testing.T) {
	t.Parallel()
	p := newPassers(t, Options{Nodes: 4})
	p.down(3)
	p.run(2 * time.Second)
	for range 1000 {
		p.pass(nil)
		p.run(10 * time.Millisecond)
	}
	p.run(3 * time.Second)
	if worst := p.worstBound(10*time.Second, 0, 1, 2); worst < 0 || worst > 500*time.Millisecond {
		t.Errorf("the bound goes up to %v after 1,000 have left", worst)
	}
	p.up(3)
	p.complete(3)
	if held := p.nodes[3].set.Len(); held < 1000 {
		t.Errorf("the newcomer is ready with %d records of 1,000", held)
	}
	p.run(35 * time.Second) // until nothing but entries is left of them
	if worst := p.worstBound(5*time.Second, 0, 1, 2, 3); worst < 0 || worst > 500*time.Millisecond {
		t.Errorf("the bound goes up to %v with the newcomer", worst)
	}
}

// TestLeaversTakeNoPlace: where there is room for ten, a hundred have come and left, and a
// newcomer is heard at once.
func TestLeaversTakeNoPlace(t *testing.T) {
	t.Parallel()
	p := newPassers(t, Options{Nodes: 3, MaxPeers: 10})
	p.down(2)
	p.run(2 * time.Second)
	for range 100 {
		p.pass(nil)
		p.run(20 * time.Millisecond)
	}
	p.up(2)
	p.complete(2)
	if held := p.nodes[2].set.Len(); held < 100 {
		t.Errorf("the newcomer is ready with %d records of 100", held)
	}
	for i := range p.nodes {
		if n := p.nodes[i].core.TurnedAway(); n > 0 {
			t.Errorf("n%d turned %d messages away", i, n)
		}
	}
}

// TestWhoLeftStaysGone: a member that left, and one that died and was forgotten long ago,
// do not count again after all others were started anew together; the one that was
// away when the member left is told so.
func TestWhoLeftStaysGone(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]time.Duration{"soon": 2 * time.Second, "after it was forgotten": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPassers(t, Options{Nodes: 5, ForgetAfter: 20 * time.Second})
			for i := range p.nodes {
				p.writes(i, 2)
			}
			p.run(2 * time.Second)
			p.down(2) // it will not hear the farewell
			p.leave(p.nodes[3])
			p.nodes[3].upAt = never
			p.down(4)
			p.run(wait)
			for i := range 3 {
				p.down(i)
				p.up(i)
			}
			p.run(5 * time.Second)
			for i := range 3 {
				for _, m := range p.nodes[i].core.Members(p.now) {
					left, dead := m.Origin == origin(3), m.Origin == origin(4)
					if left && !m.Left || dead && wait > 20*time.Second {
						t.Errorf("n%d lists %+v", i, m)
					}
					if m.Name == "" {
						t.Errorf("n%d lists a member without a name: %+v", i, m)
					}
				}
			}
			if wait < 20*time.Second {
				return // the dead one counts, as it must
			}
			if worst := p.worstBound(3*time.Second, 0, 1, 2); worst < 0 || worst > time.Second {
				t.Errorf("the bound goes up to %v", worst)
			}
			p.up(3)
			p.up(4)
			p.run(3 * time.Second)
			for i := range p.nodes {
				p.holdsAll(i)
				if got := len(p.nodes[i].core.Members(p.now)); got != 4 {
					t.Errorf("n%d lists %d members when all are back", i, got)
				}
			}
		})
	}
}

// TestPassedWhileCutOff: a member that was cut off while another came, revoked and left gets
// all that it revoked.
func TestPassedWhileCutOff(t *testing.T) {
	t.Parallel()
	p := newPassers(t, Options{Nodes: 3, BeatViews: 2})
	p.run(2 * time.Second)
	for i := range 2 {
		p.cut[[2]int{2, i}], p.cut[[2]int{i, 2}] = never, never
	}
	p.run(2 * time.Second)
	for range 20 {
		p.pass(func(i int) bool { return i == 2 })
		p.run(50 * time.Millisecond)
	}
	p.run(time.Minute) // nobody remembers its streams one by one
	clear(p.cut)
	p.lose = func(b gossip.Body) bool { // a comparison would bring it, too
		switch b.(type) {
		case *gossip.Compare, *gossip.Supply:
			return true
		}
		return false
	}
	p.run(12 * time.Second)
	if held := p.nodes[2].set.Len(); held < 20 {
		t.Errorf("it holds %d records of 20", held)
	}
}
