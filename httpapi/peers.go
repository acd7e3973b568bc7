package httpapi

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"

	"rescind/cluster"
)

// Bounds of the series per peer: names come from the network, and a cluster in
// which pods come and go would otherwise fill the monitoring system. What is
// beyond them shares one label. A histogram is 17 series.
const (
	maxPeers       = 256
	maxPeerWindows = 32
)

// otherPeers names the shared series; no host can be called so.
const otherPeers = "(other)"

var (
	descStaleness  = desc("staleness_seconds", "The staleness bound with respect to one peer; +Inf until it has been measured.", "peer")
	descSkew       = desc("clock_skew_seconds", "By how much the wall clock of a peer is ahead of this node's; 0 until it has been measured.", "peer")
	descBehind     = desc("peer_behind_records", "Revocations of a peer that it has announced and that are not known here yet.", "peer")
	descUnacked    = desc("peer_unacknowledged_records", "Revocations of this node that a peer has not acknowledged yet.", "peer")
	descPeerWindow = desc("peer_propagation_seconds", "The part of rescind_propagation_seconds of one peer.", "peer")
)

func describePeers(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descStaleness, descSkew, descBehind, descUnacked, descPeerWindow} {
		ch <- d
	}
}

// peer is what the members of one name share: two may go by one, e.g. after a
// folder was lost, and a second series of that name would spoil the whole scrape.
type peer struct {
	staleness, skew float64 // the worst of them
	behind, unacked uint64
}

// collectMembers counts the members by state and says of each that has not left
// how far it is.
func collectMembers(ch chan<- prometheus.Metric, members []cluster.Member) {
	states := map[cluster.MemberState]int{cluster.MemberAlive: 0, cluster.MemberSilent: 0, cluster.MemberLeft: 0}
	peers, windows := make(map[string]peer), make(map[string]cluster.Histogram)
	for _, m := range members {
		if _, known := states[m.State]; known {
			states[m.State]++
		}
		// A member that left gracefully can't acknowledge anything any more.
		if m.State == cluster.MemberLeft {
			continue
		}
		name := peerLabel(peers, m.Name, maxPeers)
		p := peers[name]
		p.staleness = max(p.staleness, staleness(m.Staleness, m.Known))
		if skew := m.ClockSkew.Seconds(); math.Abs(skew) >= math.Abs(p.skew) {
			p.skew = skew
		}
		p.behind += m.Behind
		p.unacked += m.Unacked
		peers[name] = p
		if name = peerLabel(windows, m.Name, maxPeerWindows); len(m.Window.Counts) > 0 {
			windows[name] = windows[name].Plus(m.Window)
		}
	}
	for state, n := range states {
		gauge(ch, descMembers, float64(n), string(state))
	}
	for name, p := range peers {
		gauge(ch, descStaleness, p.staleness, name)
		gauge(ch, descSkew, p.skew, name)
		gauge(ch, descBehind, float64(p.behind), name)
		gauge(ch, descUnacked, float64(p.unacked), name)
	}
	for name, w := range windows {
		histogram(ch, descPeerWindow, w, name)
	}
}

// peerLabel returns the label of a member: its name, unless limit others have
// labels of their own.
func peerLabel[T any](seen map[string]T, name string, limit int) string {
	name = labelValue(name)
	if _, ok := seen[name]; !ok && len(seen) >= limit {
		return otherPeers
	}
	return name
}
