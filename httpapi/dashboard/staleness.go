package dashboard

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"rescind/cluster"
)

const maxName = 24 // of a member in a legend

// peerClasses are the colours of members in the plot of the staleness, which has
// as many lines beside that of the node itself.
var peerClasses = []string{"c1", "c3", "c4", "c5", "c6"}

// stalenessChart draws how far this node may have been behind: all in all, and
// with respect to the members that hold it back most.
func stalenessChart(now time.Time, bins []bin, st cluster.Status) chart {
	c := chart{ID: "staleness", Title: "How far this node may be behind"}
	x, y := timeAxis(now), durations(floor, top)
	c.belowTimes(x)
	c.besideDurations(y)
	draw := func(class string, of func(bin) (time.Duration, bool)) {
		xs, ys := make([]float64, len(bins)), make([]float64, len(bins))
		for i, b := range bins {
			xs[i], ys[i] = x.time(b.from.Add(rateWidth/2)), math.NaN()
			if d, known := of(b); known {
				ys[i] = y.at(d.Seconds())
			}
		}
		c.line(class, xs, ys)
	}
	draw("c2 wide", func(b bin) (time.Duration, bool) { return b.staleness, b.staleness >= 0 })
	value := showStaleness(st.Staleness.Bound, st.Staleness.Known)
	c.Legend = []legend{{"c2", "this node", value}}
	var words []string
	for i, m := range stalest(st.Members, len(peerClasses)) {
		draw(peerClasses[i], func(b bin) (time.Duration, bool) { d, known := b.peers[m.Origin]; return d, known })
		behind := showStaleness(m.Staleness, m.Known)
		c.Legend = append(c.Legend, legend{peerClasses[i], short(m.Name, maxName), behind})
		words = append(words, fmt.Sprintf("%s of %s", behind, short(m.Name, maxName)))
	}
	c.Summary = "Right now: " + value
	if len(words) > 0 {
		c.Summary += "; in respect of members: " + strings.Join(words, ", ")
	}
	c.Summary += ". Where there is no line it was unknown."
	return c
}

func showStaleness(bound time.Duration, known bool) string {
	if !known {
		return "unknown"
	}
	return showDuration(bound)
}

// stalest returns at most n of the members that count, by name: those that this
// node knows least of.
func stalest(members []cluster.Member, n int) []cluster.Member {
	counting := slices.DeleteFunc(slices.Clone(members), func(m cluster.Member) bool { return m.State == cluster.MemberLeft })
	behind := func(m cluster.Member) time.Duration {
		if !m.Known {
			return math.MaxInt64
		}
		return m.Staleness
	}
	slices.SortStableFunc(counting, func(a, b cluster.Member) int { return cmp.Compare(behind(b), behind(a)) })
	counting = counting[:min(n, len(counting))]
	slices.SortFunc(counting, func(a, b cluster.Member) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Origin, b.Origin))
	})
	return counting
}
