package main

import (
	"fmt"
	"strings"

	"rescind/bench/report"
)

// show fills the page.
func (s verifySettings) show(all map[string][]verifyRound, r *report.Result) {
	r.Title = "Verifying a token"
	r.Highlight(report.Number(r.Figures["verify.cached.es256.ratio.golang_jwt"])+" ×", "faster than golang-jwt alone, once a token was seen (ES256)")
	r.Highlight(report.Number(r.Figures["verify.first.es256.ratio.golang_jwt"])+" ×", "the time of golang-jwt alone, the first time (ES256)")
	r.Note(fmt.Sprintf("Signature, claims and revocation, beside golang-jwt/jwt/v5 with one fixed key, RegisteredClaims and no look at revocations. %d tokens, %d live revocations, medians of %d interleaved rounds. "+
		"A token that was verified is remembered, so that the next time only its times and the revocations are looked at.", s.tokens, s.revoked, s.rounds))
	t := report.Table{Title: "One verification, in ns", Columns: []string{"algorithm", "golang-jwt", "first time", "times golang-jwt", "again", "golang-jwt is slower by", "allocations again"}}
	bars := report.Bars{Title: "Time of one verification", Value: report.Axis{Label: "Time", Unit: "ns", Log: true}, Caption: "Shorter is better; the axis is logarithmic. Whiskers: all rounds."}
	for _, alg := range verifyAlgorithms {
		row := []any{alg}
		for _, i := range []int{0, 2, 4, 5, 7, 6} {
			middle, _, _ := verifyFigures[i].statistics(all[alg])
			row = append(row, middle)
		}
		t.Row(row...)
		for _, b := range []struct {
			figure int
			name   string
		}{{0, "golang-jwt alone"}, {2, "rescind, first time"}, {5, "rescind, again"}} {
			middle, low, high := verifyFigures[b.figure].statistics(all[alg])
			bars.Bars = append(bars.Bars, report.Bar{Name: alg + ", " + b.name, Value: middle, Low: low, High: high, Ours: b.figure > 0})
		}
		low := strings.ToLower(alg)
		r.Better["verify.first."+low+".ratio.golang_jwt"], r.Better["verify.cached."+low+".ratio.golang_jwt"] = report.Lower, report.Higher
	}
	r.Bars(bars)
	r.Table(t)
}
