package httpapi

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"

	"rescind/cluster"
)

// maxPeers bounds the series per peer: names come from the network, and a
// cluster in which pods come and go would otherwise fill the monitoring
// system. What is beyond it shares one series.
const maxPeers = 256

// otherPeers names the shared series; no host can be called so.
const otherPeers = "(other)"

// collectMembers counts the members by state and states their staleness and the
// skew of their clocks.
func collectMembers(ch chan<- prometheus.Metric, members []cluster.Member) {
	states := map[cluster.MemberState]int{cluster.MemberAlive: 0, cluster.MemberSilent: 0, cluster.MemberLeft: 0}
	worst, skews := make(map[string]float64), make(map[string]float64)
	for _, m := range members {
		if _, known := states[m.State]; known {
			states[m.State]++
		}
		// A member that left gracefully can't acknowledge anything any more.
		if m.State == cluster.MemberLeft {
			continue
		}
		// Two members may go by one name, e.g. after a folder was lost; a
		// second series of that name would spoil the whole scrape.
		peer := peerLabel(worst, m.Name)
		worst[peer] = max(worst[peer], staleness(m.Staleness, m.Known))
		if skew := m.ClockSkew.Seconds(); math.Abs(skew) >= math.Abs(skews[peer]) {
			skews[peer] = skew
		}
	}
	for state, n := range states {
		gauge(ch, descMembers, float64(n), string(state))
	}
	for peer, s := range worst {
		gauge(ch, descStaleness, s, peer)
		gauge(ch, descSkew, skews[peer], peer)
	}
}

func peerLabel(seen map[string]float64, name string) string {
	name = labelValue(name)
	if _, ok := seen[name]; !ok && len(seen) >= maxPeers {
		return otherPeers
	}
	return name
}
