package dashboard

import (
	"fmt"
	"math"

	"rescind/cluster"
)

// clusterMap is the drawing of a node, the members and the carriers that it
// sees: this node below the middle, the others in an arc above it.
type clusterMap struct {
	Summary  string
	Self     mapNode
	Peers    []mapNode
	Carriers []mapNode
	More     int // members that found no place
}

type mapNode struct {
	Class        string // state: alive, one-way, silent, left; up, down
	X, Y         float64
	Name, Note   string
	LinkX, LinkY float64 // where the link from this node ends
	Link         string  // what stands on it
	TextX, TextY float64
}

const (
	mapW, mapH   = 440, 320
	selfX, selfY = 220, 205
	maxPeers     = 13 // drawn; the table lists more
)

func newMap(st cluster.Status, bad map[string]bool) clusterMap {
	m := clusterMap{Self: mapNode{Class: "alive", X: selfX, Y: selfY, Name: short(st.Name, 18)}}
	if !st.Ready {
		m.Self.Class = "silent"
	}
	peers := drawn(st.Members)
	m.More = len(st.Members) - len(peers)
	for i, peer := range peers {
		m.Peers = append(m.Peers, placed(peer, i, len(peers), bad[peer.Origin]))
	}
	for i, c := range st.Carriers {
		x := selfX + 110*float64(2*i-len(st.Carriers)+1)
		n := mapNode{Class: "up", X: x, Y: 288, Name: c.Name, Note: "connected", LinkX: x, LinkY: 270}
		if c.Members > 0 {
			n.Note = fmt.Sprintf("reaches %d", c.Members)
		}
		if !c.Connected {
			n.Class, n.Note = "down", "not connected"
		}
		m.Carriers = append(m.Carriers, n)
	}
	counts := map[cluster.MemberState]int{}
	for _, peer := range st.Members {
		counts[peer.State]++
	}
	m.Summary = fmt.Sprintf("%s sees %d other members: %d alive, %d silent, %d left.", st.Name, len(st.Members),
		counts[cluster.MemberAlive], counts[cluster.MemberSilent], counts[cluster.MemberLeft])
	return m
}

// drawn returns the members that have a place: those with a problem first.
func drawn(members []cluster.Member) []cluster.Member {
	var out []cluster.Member
	for _, state := range []cluster.MemberState{cluster.MemberSilent, cluster.MemberAlive, cluster.MemberLeft} {
		for _, m := range members {
			if m.State == state && len(out) < maxPeers {
				out = append(out, m)
			}
		}
	}
	return out
}

// placed puts member i of n on the arc; with many, every second is farther out.
func placed(m cluster.Member, i, n int, bad bool) mapNode {
	angle := math.Pi * (float64(i) + 0.5) / float64(n)
	rx, ry := 170.0, 140.0
	if n > 6 && i%2 == 1 {
		rx, ry = 120, 95
	}
	p := mapNode{
		Class: string(m.State), Name: short(m.Name, 14), Link: "?",
		X: tenth(selfX - rx*math.Cos(angle)), Y: tenth(selfY - ry*math.Sin(angle)),
	}
	p.LinkX, p.LinkY = p.X, p.Y
	p.TextX, p.TextY = tenth(selfX+0.52*(p.X-selfX)), tenth(selfY+0.52*(p.Y-selfY)+4)
	switch {
	case m.State == cluster.MemberLeft:
		p.Link = "left"
	case m.Known:
		p.Link = showDuration(m.Staleness)
	}
	if bad && m.State == cluster.MemberAlive {
		p.Class = "one-way"
	}
	return p
}
