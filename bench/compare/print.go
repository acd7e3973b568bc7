package compare

import (
	"fmt"
	"slices"
	"strings"

	"rescind/bench/report"
	"rescind/bench/stats"
)

// report enters the figures, prints the tables and makes the page.
func (c *comparison) report() error {
	ours := c.subject("inprocess")
	c.bars()
	c.speed("A whole check", "whole", "signature, claims and revocation, as for a request", func(s *contender) []compareRound { return s.whole })
	c.speed("The revocation check alone", "revocation", "of a token that has been verified; a sidecar and introspection do both in one request", func(s *contender) []compareRound { return s.alone })
	c.truth()
	c.outages()
	c.setups()
	for _, s := range c.subjects {
		name := "compare." + s.key + "."
		c.r.Set(name+"leaked", float64(s.leaks.leaked))
		c.r.Set(name+"wrong", float64(s.wrong()))
		c.r.Set(name+"refused_live", float64(s.leaks.refused))
		if s.bytes > 0 {
			c.r.Set(name+"bytes_per_revocation", s.bytes)
		}
		c.ratios(s, "inprocess", "inprocess_first")
	}
	if sidecar := c.subject("sidecar"); sidecar != nil {
		for _, key := range []string{"redis", "postgres", "redis_bloom", "introspection"} {
			if s := c.subject(key); s != nil {
				c.r.Rounds("compare.sidecar.ratio."+key, stats.Ratios(nsOf(s.whole), nsOf(sidecar.whole)))
			}
		}
	}
	if ours == nil {
		return nil
	}
	for _, s := range c.subjects {
		if l := s.leaks; strings.HasPrefix(s.name, "Rescind") && l.leaked+l.refused+l.withheld+s.wrong()+s.outage.lost > 0 {
			return fmt.Errorf("%s: %d revoked tokens got through, %d live ones were refused, %d had no answer, %d timed answers were wrong, %d log-outs were lost in a restart", s.name, l.leaked, l.refused, l.withheld, s.wrong(), s.outage.lost)
		}
	}
	return nil
}

// ratios enters how many times longer s takes than each of ours: for a whole check,
// and for the revocation alone, where ours has no cache to its advantage.
func (c *comparison) ratios(s *contender, ours ...string) {
	for _, key := range ours {
		o := c.subject(key)
		if o == nil || s == o {
			continue
		}
		c.r.Rounds("compare."+key+".ratio."+s.key, stats.Ratios(nsOf(s.whole), nsOf(o.whole)))
		if len(s.alone) > 0 && len(o.alone) > 0 {
			c.r.Rounds("compare."+key+".revocation.ratio."+s.key, stats.Ratios(nsOf(s.alone), nsOf(o.alone)))
		}
	}
}

func (c *comparison) subject(key string) *contender {
	for _, s := range c.subjects {
		if s.key == key {
			return s
		}
	}
	return nil
}

func overRounds(rounds []compareRound, f func(compareRound) float64) []float64 {
	values := make([]float64, len(rounds))
	for i, r := range rounds {
		values[i] = f(r)
	}
	return values
}

func nsOf(rounds []compareRound) []float64 {
	return overRounds(rounds, func(r compareRound) float64 { return r.ns })
}

// speed prints one table of times, in microseconds.
func (c *comparison) speed(title, part, of string, rounds func(*contender) []compareRound) {
	t := report.Table{
		Title:   title + ": " + of,
		Columns: []string{"", "us", "quartiles", "p50 us", "p99 us", "checks per core and s", "x ours"},
		Caption: fmt.Sprintf("Medians of %d interleaved rounds of %v; %d tokens in turn, 1 in 100 revoked. us: one request at a time, the median, of batches of %d where a check is so short that reading the clock would count; the quartiles are those of the rounds; p50 and p99: each timed by itself, which includes reading the clock. "+
			"Per core: %d requests at once, divided by the processor time of the API and of every process that it asks. x ours: against Rescind in process, median of the rounds.",
			c.rounds, c.slice, c.tokens, batch, c.callers),
	}
	if part == "whole" {
		t.Caption += " Rescind in process remembers the tokens that it has verified, which makes most of the difference; the row below it does not."
	}
	ours := c.subject("inprocess")
	for _, s := range c.subjects {
		all := rounds(s)
		if len(all) == 0 {
			continue
		}
		us := func(f func(compareRound) float64) float64 { return stats.Median(overRounds(all, f)) / 1000 }
		low, high := stats.Quartiles(nsOf(all))
		ratio := "-"
		if ours != nil {
			ratio = report.Number(stats.Median(stats.Ratios(nsOf(all), nsOf(rounds(ours)))))
		}
		t.Row(s.name, us(func(r compareRound) float64 { return r.ns }), report.Number(low/1000)+" - "+report.Number(high/1000),
			us(func(r compareRound) float64 { return r.p50 }), us(func(r compareRound) float64 { return r.p99 }),
			stats.Median(overRounds(all, func(r compareRound) float64 { return r.perCore })), ratio)
		name := "compare." + s.key + "."
		if part != "whole" {
			name += part + "."
		}
		c.r.Rounds(name+"ns", nsOf(all))
		c.r.Rounds(name+"p50_ns", overRounds(all, func(r compareRound) float64 { return r.p50 }))
		c.r.Rounds(name+"p99_ns", overRounds(all, func(r compareRound) float64 { return r.p99 }))
		c.r.Rounds(name+"per_core_per_second", overRounds(all, func(r compareRound) float64 { return r.perCore }))
	}
	c.show(t)
}

// wrong counts the timed answers that were not what they must be.
func (s *contender) wrong() (n int) {
	for _, r := range slices.Concat(s.whole, s.alone) {
		n += r.wrong
	}
	return n
}

// truth prints what became of log-outs, and what they take.
func (c *comparison) truth() {
	t := report.Table{
		Title:   "Do log-outs hold? And what does one take?",
		Columns: []string{"", "logged out", "got through", "live", "of them refused", "no answer", "wrong while timed", "bytes each", "of what"},
		Caption: fmt.Sprintf("Two processes of the API; a log-out reaches either, checks reach both. Got through: accepted by one of them more than %v after the log-out was acknowledged; a process with a set of its own never hears of the other's log-outs. "+
			"Wrong while timed: of all answers of the two tables above.", c.window),
	}
	for _, s := range c.subjects {
		bytes := "-"
		if s.bytes > 0 {
			bytes = report.Number(s.bytes)
		}
		t.Row(s.name, s.leaks.tokens, s.leaks.leaked, s.leaks.live, s.leaks.refused, s.leaks.withheld, s.wrong(), bytes, s.inBytes)
	}
	c.show(t)
}

// outages prints what is answered without the store.
func (c *comparison) outages() {
	t := report.Table{
		Title:   "The store is down",
		Columns: []string{"", "what", "revoked: refused", "revoked: accepted", "errors", "after ms", "no answer", "fail open lets through", "lost for good"},
		Caption: fmt.Sprintf("%d revoked and %d live tokens, all at once. An error is what the API's own code gets: failing closed makes it 503 for everybody, failing open lets it pass, and then the revoked tokens with it. "+
			"No answer: not within %v. Lost for good: accepted after a restart of what was killed; what is in the memory of one process is lost with it.", outageTokens, outageTokens, c.patient),
	}
	for _, s := range c.subjects {
		switch {
		case s.volatile:
			t.Row(s.name, "asks nobody", "-", "-", "-", "-", "-", "-", "all, at every restart of the API")
			continue
		case !s.outage.tried:
			continue
		}
		for _, mode := range []struct {
			what string
			a    outageAnswers
			lost any
		}{{"paused", s.outage.paused, "-"}, {"killed", s.outage.killed, s.outage.lost}} {
			what := mode.what
			if s.service == nil {
				what = "a peer " + what
			}
			after := "-"
			if len(mode.a.times) > 0 {
				after = report.Number(stats.Median(mode.a.times)) + " - " + report.Number(slices.Max(mode.a.times))
			}
			open := outageTokens - mode.a.refused
			t.Row(s.name, what, mode.a.refused, mode.a.accepted, mode.a.unsure, after, mode.a.late, open, mode.lost)
			c.r.Set("compare."+s.key+"."+mode.what+".open_leaked", float64(open))
			c.r.Set("compare."+s.key+"."+mode.what+".unanswered", float64(mode.a.unsure+mode.a.late))
		}
		c.r.Set("compare."+s.key+".restart_lost", float64(s.outage.lost))
	}
	c.show(t)
}

// setups shows how each is configured.
func (c *comparison) setups() {
	t := report.Table{Title: "How each is set up", Columns: []string{"", "configuration"}}
	for _, s := range c.subjects {
		t.Row(s.name, s.setup)
	}
	for _, why := range c.skipped {
		t.Row("left out", why)
	}
	c.r.Table(t)
	fmt.Fprintf(c.w, "\n%s\n", t.Title)
	for _, row := range t.Rows { // too wide for columns
		fmt.Fprintf(c.w, "  %s: %s\n", row[0], row[1])
	}
	if len(c.skipped) > 0 {
		c.r.Noise = append(c.r.Noise, "left out: "+strings.Join(c.skipped, "; "))
	}
}

// bars draws the times.
func (c *comparison) bars() {
	b := report.Bars{
		Title: "Time of a whole check", Caption: "One request at a time, with the quartiles of the rounds.",
		Value: report.Axis{Label: "time", Unit: "us", Log: true},
	}
	for _, s := range c.subjects {
		low, high := stats.Quartiles(nsOf(s.whole))
		b.Bars = append(b.Bars, report.Bar{Name: s.name, Value: stats.Median(nsOf(s.whole)) / 1000, Low: low / 1000, High: high / 1000, Ours: strings.HasPrefix(s.name, "Rescind")})
	}
	c.r.Bars(b)
}

func (c *comparison) show(t report.Table) {
	_ = t.Text(c.w) // to a terminal
	c.r.Table(t)
}
