package regions

import (
	"fmt"
	"math"
	"slices"

	"rescind/bench/report"
	"rescind/bench/stats"
)

// showOutage prints what the cut did, and fails if a node claimed to be less far
// behind than it was.
func (p *run) showOutage(o *outage, how cut) error {
	equal, usualAgain := o.equal(p.usual())
	lost, understated := int(o.left.Load()), 0
	claimed, behind := 0.0, 0.0
	timeline := report.Timeline{
		Title: "The link is cut: " + how.name, Value: report.Axis{Label: "behind", Unit: "s"},
		Periods: []report.Period{{Name: "cut", From: o.began.Seconds(), To: o.ended.Seconds()}},
		Caption: "The most that a node of each region claims to be behind, and what the worst of them truly was.",
	}
	for region := range o.servers {
		says := report.Line{Name: "claimed in " + regionName(region)}
		was := report.Line{Name: "true in " + regionName(region), Dashed: true}
		for _, s := range o.samples {
			most, worst := 0.0, 0.0
			for k, c := range s.claimed {
				if o.of[k] != region {
					continue
				}
				most, worst = max(most, c), max(worst, o.behind(k, s.from, s.from))
				// Behind at the earliest moment that the sample can be of, by what was
				// missing still at the latest.
				if o.behind(k, s.from, s.to) > c {
					understated++
				}
			}
			if !math.IsInf(most, 1) {
				claimed = max(claimed, most)
				says.X, says.Y = append(says.X, s.from.Seconds()), append(says.Y, most)
			}
			behind = max(behind, worst)
			was.X, was.Y = append(was.X, s.from.Seconds()), append(was.Y, worst)
		}
		timeline.Lines = append(timeline.Lines, says, was)
	}
	note := fmt.Sprintf("%d revocations at %d a second; cut for %.1f s: %s. Equal %.0f ms after the mending, claims usual again after %.0f ms. "+
		"Nodes claimed to be at most %.2f s behind and were %.2f s. %d of %d claims were too small. %d arrivals lost. The links carried %.0f kB between the mending and the last arrival.",
		len(o.tokens), p.Rate, (o.ended - o.began).Seconds(), how.name, stats.Millis(equal), stats.Millis(usualAgain), claimed, behind, understated, len(o.samples)*len(o.nodes), lost, float64(o.carried)/1000)
	fmt.Fprintln(p.w, "\n"+note)
	name := "regions.cut." + how.figure + "."
	p.r.Set(name+"equal_ms", stats.Millis(equal))
	p.r.Set(name+"claims_usual_ms", stats.Millis(usualAgain))
	p.r.Set(name+"claimed_max_s", claimed)
	p.r.Set(name+"behind_max_s", behind)
	p.r.Set(name+"understated", float64(understated))
	p.r.Set(name+"lost", float64(lost))
	p.r.Set(name+"catch_up_bytes", float64(o.carried))
	p.r.Note(note)
	p.r.Timeline(timeline)
	if understated > 0 || lost > 0 || slices.ContainsFunc(o.samples, func(s sample) bool { return len(s.claimed) != len(o.nodes) }) {
		return fmt.Errorf("a promise was broken: %d claims were too small, %d arrivals lost", understated, lost)
	}
	return nil
}
