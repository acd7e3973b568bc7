package faults

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"rescind/bench/report"
	"rescind/bench/stats"
)

// print enters figures and makes tables and plots. It returns an error if a claim
// was below the truth.
func (r *faultRun) print(w io.Writer, out *report.Result, missing string) error {
	slices.SortFunc(r.samples, func(a, b sampled) int { return cmp.Compare(a.all.Asked, b.all.Asked) })
	if missing != "" {
		out.Note("All nodes are on loopback, and nothing was cut: " + missing + ".")
		fmt.Fprintf(w, "Nothing was cut: %s.\n", missing)
	}
	out.Note(fmt.Sprintf("%d nodes as processes, each %s, and a NATS server. n1 and n2 are killed, paused and cut off; n1 serves, n2 rejects once it may be more than %v behind. "+
		"%d tokens a second are revoked at each node. Every %v each node is asked how far it may be behind each other, and then for the oldest token that the other had acknowledged and that it is not known to refuse.",
		faultNodes, map[bool]string{true: "on a host of its own", false: "on loopback"}[missing == ""], r.reject, r.probes, r.every))
	for _, i := range []int{serving, faultNodes - 1} {
		out.Timeline(r.timeline(i))
	}
	r.whatFaultsDid(w, out)
	r.answerTable(w, out)
	r.shares(out)
	out.Set("faults.understated", float64(r.wrongs))
	out.Set("faults.moments", float64(r.moments))
	out.Set("faults.skipped", float64(len(script)-len(r.periods)))
	if len(r.slack) == 0 {
		return errors.New("no claim could be held against the truth")
	}
	half, slack := stats.Quantile(r.slack, 0.5), stats.Quantile(r.slack, 0.99)
	out.Set("faults.slack_p50_ms", half)
	out.Set("faults.slack_p99_ms", slack)
	out.Set("faults.probes", float64(r.probesAcked()))
	fmt.Fprintf(w, "\n%d claims held against the truth: %d below it. %d tokens revoked (%d calls failed). Of the moments that span no pause, half would have shown a claim that was too low by more than %.0f ms, and 99 %% one by more than %.0f.\n",
		r.moments, r.wrongs, r.probesAcked(), r.failed, half, slack)
	for _, u := range r.understated {
		fmt.Fprintln(w, "UNDERSTATED", u)
		out.Note("UNDERSTATED " + u)
	}
	if r.wrongs > 0 {
		return fmt.Errorf("%d of %d claims of staleness were below the truth", r.wrongs, r.moments)
	}
	for _, p := range r.periods {
		if r.looked(p) == 0 {
			return fmt.Errorf("no claim could be held against the truth during: %s", p.name)
		}
	}
	return nil
}

func (r *faultRun) probesAcked() (n int) {
	for _, s := range r.watch.streams {
		n += s.Before(r.watch.clock.Now())
	}
	return n
}

// looked returns how many claims were held against the truth from when the fault
// began until it was over for all.
func (r *faultRun) looked(p period) (n int) {
	for _, s := range r.samples {
		if s.all.Answered >= p.from && s.all.Answered <= max(p.equal, p.said) {
			n += len(s.moments)
		}
	}
	return n
}

// timeline draws what node i says over what is true.
func (r *faultRun) timeline(i int) report.Timeline {
	t := report.Timeline{
		Title:   fmt.Sprintf("What %s says of how far it may be behind, over how far it is", nodeNames[i]),
		Caption: "Where it does not answer or does not know, the line goes straight on. The truth is never below what is drawn, and above it by no more than a round trip. An answer that took longer than a second, as over a pause, is judged and not drawn.",
		Value:   report.Axis{Label: "behind", Unit: "s"},
	}
	claimed, truth := report.Line{Name: "claimed"}, report.Line{Name: "true", Steps: true}
	for _, s := range r.samples {
		if s.node != i || len(s.moments) == 0 || s.all.Answered-s.all.Asked > patient {
			continue // what was asked before a pause and answered after it belongs to no moment
		}
		at := s.all.Answered.Seconds()
		if s.all.Known {
			claimed.X, claimed.Y = append(claimed.X, at), append(claimed.Y, s.all.Bound.Seconds())
		}
		truth.X, truth.Y = append(truth.X, at), append(truth.Y, s.all.True.Seconds())
	}
	t.Lines = []report.Line{claimed, truth}
	for _, p := range r.periods {
		t.Periods = append(t.Periods, report.Period{Name: p.name, From: p.from.Seconds(), To: p.to.Seconds()})
		t.Marks = append(t.Marks, report.Mark{Name: "equal", At: p.equal.Seconds()})
	}
	return t
}

// most returns the largest claim and the largest truth of a node in a period.
func (r *faultRun) most(node int, from, to time.Duration) (claimed, truth time.Duration) {
	for _, s := range r.samples {
		if s.node != node || s.all.Answered < from || s.all.Answered > to {
			continue
		}
		if s.all.Known {
			claimed = max(claimed, s.all.Bound)
		}
		truth = max(truth, s.all.True)
	}
	return claimed, truth
}

func (r *faultRun) whatFaultsDid(w io.Writer, out *report.Result) {
	t := report.Table{
		Title:   "What each fault did",
		Columns: []string{"", "lasted s", "n1 claims at most s", "n1 is behind s", "n4 claims at most s", "n4 is behind s", "equal again after s", "and says so after s"},
		Caption: "Until every node refused all that had been acknowledged when the fault ended, from its end; a node that was killed starts in that time. A node that says that it does not know how far it is behind, as after its start, claims nothing.",
	}
	for _, p := range r.periods {
		until := max(p.equal, p.said)
		c1, t1 := r.most(serving, p.from, until)
		c4, t4 := r.most(faultNodes-1, p.from, until)
		equal, said := (p.equal - p.to).Seconds(), (p.said - p.to).Seconds()
		t.Row(p.name, (p.to - p.from).Seconds(), c1.Seconds(), t1.Seconds(), c4.Seconds(), t4.Seconds(), equal, said)
		name := "faults." + p.key + "."
		out.Set(name+"claimed_max_s", max(c1, c4).Seconds())
		out.Set(name+"true_max_s", max(t1, t4).Seconds())
		out.Set(name+"equal_after_s", equal)
		out.Set(name+"fresh_after_s", said)
	}
	_ = t.Text(w) // to a terminal
	out.Table(t)
}

// Columns of what checks answered.
var answers = []struct {
	name   string
	status int
}{{"200 accepted", http.StatusOK}, {"401 refused", http.StatusUnauthorized}, {"503 cannot know", http.StatusServiceUnavailable}, {"no answer", 0}}

// counts returns what was answered, in the order of answers.
func (r *faultRun) counts(phase string, revoked bool, nodes ...int) []float64 {
	r.watch.mu.Lock()
	defer r.watch.mu.Unlock()
	counts := make([]float64, len(answers))
	for i, a := range answers {
		for _, n := range nodes {
			counts[i] += float64(r.watch.answers[answerKey{phase, n, revoked, a.status}])
		}
	}
	return counts
}

// roleNames are the nodes by what checks get there.
var roleNames = []struct {
	key, name string
	nodes     []int
}{{"serve", "n1, serve", []int{serving}}, {"reject", "n2, reject", []int{rejecting}}, {"others", "n3 and n4, serve", []int{2, 3}}}

func (r *faultRun) answerTable(w io.Writer, out *report.Result) {
	t := report.Table{
		Title:   "What checks answered meanwhile",
		Columns: []string{"", "node", "token"},
		Caption: fmt.Sprintf("Revoked: within the last %v, at another node. To accept one is what serve does while a node is behind; reject answers 503 to it, and to live ones with it. No answer: none within %v.", lately, patient),
	}
	for _, a := range answers {
		t.Columns = append(t.Columns, a.name)
	}
	for _, p := range append([]period{{fault: fault{key: phaseCalm, name: "calm"}}}, r.periods...) {
		for _, role := range roleNames {
			for _, revoked := range []bool{false, true} {
				what := map[bool]string{false: "live", true: "revoked"}[revoked]
				row := []any{p.name, role.name, what}
				for i, n := range r.counts(p.key, revoked, role.nodes...) {
					row = append(row, int(n))
					if revoked && answers[i].status == http.StatusOK {
						out.Set("faults."+p.key+"."+role.key+".revoked_accepted", n)
					}
					if !revoked && answers[i].status == http.StatusServiceUnavailable {
						out.Set("faults."+p.key+"."+role.key+".live_withheld", n)
					}
				}
				t.Row(row...)
			}
		}
	}
	_ = t.Text(w) // to a terminal
	out.Table(t)
}

func (r *faultRun) shares(out *report.Result) {
	for _, revoked := range []bool{false, true} {
		s := report.Shares{Title: map[bool]string{false: "What checks of a live token got", true: "What checks of a token got that was revoked lately at another node"}[revoked]}
		for _, a := range answers {
			s.Parts = append(s.Parts, a.name)
		}
		for _, p := range r.periods {
			for _, role := range roleNames {
				counts := r.counts(p.key, revoked, role.nodes...)
				if slices.Max(counts) > 0 {
					s.Rows = append(s.Rows, report.ShareRow{Name: p.name + ": " + role.name, Counts: counts})
				}
			}
		}
		out.Shares(s)
	}
}
