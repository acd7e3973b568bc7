package propagation

import (
	"fmt"
	"os"

	"rescind/bench/report"
)

// show prints the window and fills the page.
func (b *remoteBench) show(r *report.Result, acked, refused named, firstBy [2]float64) error {
	all := []named{acked}
	if b.mint.signer != nil {
		all = append(all, refused)
	}
	truth := all[len(all)-1]
	lost := 0
	for _, c := range truth.curves {
		lost += c.Lost
	}
	r.Set("window.lost", float64(lost))
	r.Set("window.remote.failed", float64(b.failed))
	for i, s := range all {
		for _, to := range []string{"last", "each"} {
			name := fmt.Sprintf("window.remote.%s.", []string{"acknowledged", "refused"}[i])
			if to == "each" {
				name += "each."
			}
			for _, q := range percentiles {
				enter(r, name+q.name+"_ms", s.curves, to, q.at)
			}
		}
	}
	last := truth.distribution("last")
	for _, q := range []struct {
		share float64
		says  string
	}{{0.5, "half of the revocations are in force on all nodes within this, " + truth.name}, {0.99, "99 of 100 are"}} {
		v, atLeast := last.At(q.share)
		text := report.Number(v) + " ms"
		if atLeast {
			text = "≥ " + text
		}
		r.Highlight(text, q.says)
	}
	r.HighlightZero(lost, fmt.Sprintf("of %d that did not arrive within %v", last.Total(), b.GiveUp))
	r.HighlightZero(b.failed, "calls without a useful answer")
	r.Heading("The window of this cluster")
	r.Note(fmt.Sprintf("%d nodes, of which %d are asked by HTTP: %d revocations a second on one after the other, scopes %s, each made whether or not earlier ones have returned (open loop), "+
		enterBehind(r, b.behind)+". "+
		"“Each” counts every other node, “last” the slowest of them: before that moment the token still worked somewhere. What did not arrive within %v counts with that time and is drawn dashed. What was revoked is forgotten after %v.",
		len(b.names), len(b.nodes), b.Rate, b.Scopes.Text, b.GiveUp, remoteLife))
	t := windowTable("Window in ms", all)
	r.Table(t)
	if err := t.Text(os.Stdout); err != nil {
		return err
	}
	if b.failed > 0 {
		r.Note(fmt.Sprintf("%d calls had no useful answer; the first: %v. What was not revoked or not seen to be refused by them counts as lost.", b.failed, b.first))
		fmt.Printf("%d calls had no useful answer; the first: %v\n", b.failed, b.first)
	}
	windowPlots(r, fmt.Sprintf("%d nodes", len(b.names)), all)
	r.Spread(report.Spread{Title: "Share of the other nodes that hold the revocation, against time", Unit: "ms", Curves: []report.SpreadCurve{truth.spread(b.destinations(truth) + 1)},
		Caption: "Line: the median of all revocations. Band: 90 of 100 revocations run within it."})
	truth.pairs(r, b.names[:b.destinations(truth)+1], len(b.nodes))
	if firstBy[0]+firstBy[1] > 0 {
		r.Shares(report.Shares{Title: "Which carrier was first", Parts: []string{"memberlist", "NATS"}, Rows: []report.ShareRow{{Name: "all nodes", Counts: firstBy[:]}},
			Caption: "Of the revocations that the nodes received meanwhile, from the counters of GET /v1/cluster. What only a repair brought counts for neither."})
	}
	b.explain(r, acked, refused)
	if lost > 0 {
		return fmt.Errorf("%d revocations did not arrive within %v", lost, b.GiveUp)
	}
	return nil
}

// destinations is to how many nodes a revocation travels, by this way to
// measure.
func (b *remoteBench) destinations(n named) int {
	if n.name == "by acknowledgement" {
		return len(b.names) - 1
	}
	return len(b.nodes) - 1
}

// explain says how the two ways differ.
func (b *remoteBench) explain(r *report.Result, acked, refused named) {
	if b.mint.signer == nil {
		r.Note("Measured by acknowledgement alone: the origin's clock, from the call to the moment when the other node's acknowledgement is back, which is after its fsync. A node refuses the token before that. " +
			"To see the first refusal by a real check, give --signing-key-file and --issuer of an issuer that the cluster trusts.")
		return
	}
	rtt := report.FromValues("", b.rtt, 0, 0)
	p50, _ := rtt.At(0.5)
	r.Set("window.remote.check_p50_ms", p50)
	twoClocks(r, acked, refused, fmt.Sprintf("Here the bench's own clock times the refusal: from sending the revocation to receiving the first refusal, asked every %v on each node with a token that the node had accepted just before. "+
		"So it holds the way of the call to the first node, of the answer from the second, and the pause between two checks: a check takes %s ms from here at p50. "+
		"The acknowledgement's time begins when the first node has read the call, and holds the second node's fsync and the way back between the nodes, but nothing of the bench's own network.", askEvery, report.Number(p50)))
}
