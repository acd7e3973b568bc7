package verify

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"rescind/bench/report"
	"rescind/bench/stats"
)

// show fills the page.
func (s settings) show(all map[string][]round, r *report.Result) {
	r.Title = "Verifying a token"
	r.Highlight(report.Number(r.Figures["verify.cached.es256.ratio.golang_jwt"])+" ×", "faster than golang-jwt alone, once a token was seen (ES256)")
	r.Highlight(report.Number(r.Figures["verify.first.es256.ratio.golang_jwt"])+" ×", "the time of golang-jwt alone, the first time (ES256)")
	r.Note(fmt.Sprintf("Signature, claims and revocation, beside golang-jwt/jwt/v5 with one fixed key, RegisteredClaims and no look at revocations. %d tokens, %d live revocations, medians of %d interleaved rounds. "+
		"A token that was verified is remembered, so that the next time only its times and the revocations are looked at.", s.tokens, s.revoked, s.rounds))
	t := report.Table{Title: "One verification, in ns", Columns: []string{"algorithm", "golang-jwt", "first time", "times golang-jwt", "again", "golang-jwt is slower by", "allocations again"}}
	bars := report.Bars{Title: "Time of one verification", Value: report.Axis{Label: "Time", Unit: "ns", Log: true}, Caption: "Shorter is better; the axis is logarithmic. Whiskers: all rounds."}
	for _, alg := range algorithms {
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

// figure is one column of the results.
type figure struct {
	name string // in the JSON, after "verify." with the algorithm for %s
	of   func(round) float64
}

var verifyFigures = []figure{
	{"golang_jwt.%s.ns", func(r round) float64 { return r.rival.ns() }},
	{"golang_jwt.%s.allocs", func(r round) float64 { return r.rival.allocsEach() }},
	{"first.%s.ns", func(r round) float64 { return r.first.ns() }},
	{"first.%s.allocs", func(r round) float64 { return r.first.allocsEach() }},
	{"first.%s.ratio.golang_jwt", func(r round) float64 { return r.first.ns() / r.rival.ns() }},
	{"cached.%s.ns", func(r round) float64 { return r.cached.ns() }},
	{"cached.%s.allocs", func(r round) float64 { return r.cached.allocsEach() }},
	{"cached.%s.ratio.golang_jwt", func(r round) float64 { return r.rival.ns() / r.cached.ns() }},
}

// statistics returns the median and the range of f.
func (f figure) statistics(rounds []round) (middle, low, high float64) {
	values := f.values(rounds)
	return stats.Median(values), slices.Min(values), slices.Max(values)
}

func (f figure) values(rounds []round) []float64 {
	values := make([]float64, len(rounds))
	for i, r := range rounds {
		values[i] = f.of(r)
	}
	return values
}

func printVerify(w io.Writer, s settings, all map[string][]round) {
	fmt.Fprintf(w, "One verification, in nanoseconds: median of %d interleaved rounds and their range; %d tokens, %d live revocations.\n",
		s.rounds, s.tokens, s.revoked)
	fmt.Fprintf(w, "%s, %s/%s, %d CPUs. golang-jwt: ParseWithClaims, fixed key, RegisteredClaims, no look at revocations.\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	fmt.Fprintf(w, "first: ours / golang-jwt, goal <= 1.05. again: golang-jwt / ours, goal >= 30 with <= 1,000 ns and <= 2 allocs on ES256.\n\n")
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "alg\tgolang-jwt ns\tallocs\tfirst ns\tallocs\tratio\tagain ns\tallocs\tratio\t")
	for _, alg := range algorithms {
		fmt.Fprintf(t, "%s\t", alg)
		for _, f := range verifyFigures {
			middle, low, high := f.statistics(all[alg])
			switch {
			case strings.HasSuffix(f.name, ".allocs"):
				fmt.Fprintf(t, "%.1f\t", middle)
			case strings.HasSuffix(f.name, ".golang_jwt"):
				fmt.Fprintf(t, "%.2f (%.2f-%.2f)\t", middle, low, high)
			default:
				fmt.Fprintf(t, "%.0f (%.0f-%.0f)\t", middle, low, high)
			}
		}
		fmt.Fprintln(t)
	}
	t.Flush()
}

// enter puts what was measured into the result.
func (s settings) enter(all map[string][]round, r *report.Result) {
	r.Settings("rounds", s.rounds, "tokens", s.tokens, "repeats", s.repeats, "revoked", s.revoked)
	for _, alg := range algorithms {
		for _, f := range verifyFigures {
			r.Rounds("verify."+fmt.Sprintf(f.name, strings.ToLower(alg)), f.values(all[alg]))
		}
	}
	s.show(all, r)
}
