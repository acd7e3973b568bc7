package gossiptest

import (
	"math"
	"time"

	"rescind"
	"rescind/gossip"
	"rescind/internal/identity"
)

// lies are what somebody says once who has the cluster's key, and no other: of a
// member, n. None of them may stop a node, remove a member, or keep anybody from
// stating a bound and from getting ready.
var lies = []struct {
	name string
	say  func(s *Sim, n *node) []gossip.Message
}{
	{"a leave in another's name, of an epoch that nobody reaches", func(s *Sim, n *node) []gossip.Message {
		return []gossip.Message{s.forged(n, huge, &gossip.Leave{})}
	}},
	{"a leave in another's name, of its true epoch", func(s *Sim, n *node) []gossip.Message {
		return []gossip.Message{s.forged(n, n.disk.epoch, &gossip.Leave{})}
	}},
	{"a heartbeat in another's name", func(s *Sim, n *node) []gossip.Message {
		return []gossip.Message{s.forged(n, huge, &gossip.Beat{N: 1, Name: n.name})}
	}},
	{"a view of another in an epoch that nobody reaches", func(s *Sim, n *node) []gossip.Message {
		return s.rogue(gossip.View{Origin: n.origin, At: gossip.Position{Epoch: huge, Seq: huge}, Based: true, Left: true, Counts: true})
	}},
	{"a view that says another has left", func(s *Sim, n *node) []gossip.Message {
		return s.rogue(gossip.View{Origin: n.origin, At: gossip.Position{Epoch: n.disk.epoch, Seq: 1 << 60}, Left: true})
	}},
	{"a thousand invented origins", func(s *Sim, n *node) []gossip.Message {
		var views []gossip.View
		for i := range 1000 {
			views = append(views, gossip.View{Origin: gossip.Origin(1<<40 + i), At: gossip.Position{Epoch: huge, Seq: 9}, Counts: true, Echo: 1})
		}
		return s.rogue(views...)
	}},
	{"invented members that speak for themselves", func(s *Sim, n *node) (said []gossip.Message) {
		for i := range 20 {
			said = append(said, s.signed(keyOf(i, 1<<15), &gossip.Beat{N: 1, Head: 1 << 50, Previous: gossip.Position{Epoch: 3, Seq: 3}}))
		}
		return said
	}},
	{"records in another's name, beyond what it can have reached", func(s *Sim, n *node) []gossip.Message {
		return []gossip.Message{
			s.forged(n, n.disk.epoch, &gossip.Batch{First: 1 << 50, Head: math.MaxUint64}),
			s.forged(n, huge, &gossip.Batch{First: 1, Head: 9}),
			s.forged(n, n.disk.epoch, &gossip.RangeReply{Origin: n.origin, Epoch: n.disk.epoch, From: huge}),
		}
	}},
	{"acknowledgements in another's name", func(s *Sim, n *node) (said []gossip.Message) {
		for _, of := range s.nodes {
			said = append(said, s.forged(n, n.disk.epoch, &gossip.Ack{At: gossip.Position{Epoch: of.disk.epoch, Seq: uint64(len(of.own))}}))
		}
		return said
	}},
	{"no room", func(s *Sim, n *node) []gossip.Message {
		return []gossip.Message{s.forged(n, n.disk.epoch, &gossip.Full{Limit: 1})}
	}},
}

const huge = uint64(1) << 62

// rogueKey is that of the folder which the rogue has.
var rogueKey = keyOf(0, 1<<14)

// lie has every node hear a lie about n.
func (s *Sim) lie(which int, n *node) {
	s.note("somebody tells all: %s, of n%d", lies[which].name, n.index)
	for _, m := range lies[which].say(s, n) {
		for _, to := range s.nodes {
			s.queue[s.now+tick] = append(s.queue[s.now+tick], delivery{to.index, to.index, m.Append(nil)})
		}
	}
}

// forged says something in n's name, signed by another.
func (s *Sim) forged(n *node, epoch uint64, b gossip.Body) gossip.Message {
	m := gossip.Message{From: n.origin, Epoch: max(epoch, 1), Clock: s.trueTime(), Body: b}
	m.Sign(rogueKey)
	return m
}

// rogue says something of others in the rogue's own name.
func (s *Sim) rogue(views ...gossip.View) []gossip.Message {
	return []gossip.Message{s.signed(rogueKey, &gossip.Beat{N: uint64(s.now / time.Millisecond), Name: "rogue", Clock: s.trueTime(), Views: views})}
}

func (s *Sim) signed(key identity.Key, b gossip.Body) gossip.Message {
	m := gossip.Message{From: gossip.Origin(key.Origin()), Epoch: uint64(rescind.Millis(1) + dawn), Clock: s.trueTime(), Body: b}
	m.Sign(key)
	return m
}
