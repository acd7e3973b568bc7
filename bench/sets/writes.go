package sets

import (
	"fmt"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"rescind"
	"rescind/bench/ids"
	"rescind/bench/report"
	"rescind/bench/stats"
)

const (
	addsPerSecond = 50_000
	tick          = time.Millisecond // how often a writer adds, and a sweeper takes a turn
)

// underWrites measures checks beside a writer, and for ours beside sweeps and
// the resizes that both bring about.
func (r *run) underWrites() {
	c := fill(mainSize, rivals[0].name, plainMapDesign)
	quiet := [2]*hdrhistogram.Histogram{latencies(c.sets[0], r.slice), latencies(c.sets[1], r.slice)}
	busy := [2]*hdrhistogram.Histogram{newLatencies(), newLatencies()}
	for round := range r.rounds {
		for i, set := range c.sets {
			stop := writeInto(set, round)
			one, two := measureChecks(set, c.n, 1, r.slice), measureChecks(set, c.n, 2, r.slice)
			busy[i].Merge(latencies(set, r.slice))
			stop()
			c.one[i], c.two[i] = append(c.one[i], one.ns), append(c.two[i], two.ns)
			if i == 0 {
				r.missed += one.missed + two.missed
			}
		}
	}
	r.res.Rounds("check.1M.writes.g1.ns", c.one[0])
	r.res.Rounds("check.1M.writes.g2.ns", c.two[0])
	r.res.Rounds("check.1M.writes.scaling2", stats.Ratios(c.one[0], c.two[0]))
	r.res.Rounds("check.1M.writes.g2.ratio.bloom_rwmutex_map", stats.Ratios(c.two[1], c.two[0]))

	fmt.Fprintf(r.w, "\nBeside a writer that adds %d entries/s, and for rescind %d sweeps/s of one shard, half of whose records have lapsed since.\n", addsPerSecond, time.Second/tick)
	fmt.Fprintf(r.w, "Single checks are timed one by one; that includes reading the clock, and whatever the operating system does with a goroutine.\n\n")
	t := tabwriter.NewWriter(r.w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tns\tns, two goroutines\tscaling\tsingle checks: p50\tp99\tp99.9\tmax\twithout writes: p50\tp99\tp99.9\tmax\t")
	for i, name := range c.names {
		fmt.Fprintf(t, "%s\t%.1f\t%.1f\t%.2f", name, stats.Median(c.one[i]), stats.Median(c.two[i]), stats.Median(stats.Ratios(c.one[i], c.two[i])))
		for _, h := range []*hdrhistogram.Histogram{busy[i], quiet[i]} {
			fmt.Fprintf(t, "\t%d\t%d\t%d\t%d", h.ValueAtPercentile(50), h.ValueAtPercentile(99), h.ValueAtPercentile(99.9), h.Max())
		}
		fmt.Fprintln(t, "\t")
	}
	t.Flush()
	r.res.Heading("Beside writes")
	r.res.Percentiles(report.Percentiles{Title: fmt.Sprintf("One check timed by itself, 1 M entries, beside %s added a second", report.Number(addsPerSecond)), Unit: "ns", Distributions: []report.Distribution{
		report.FromHistogram(c.names[0], busy[0], 1, 0, 0), report.FromHistogram(c.names[1], busy[1], 1, 0, 0), report.FromHistogram(c.names[0]+", no writer", quiet[0], 1, 0, 0),
	}, Caption: "Reading the clock is included. The last steps are the operating system's: it takes the processor away for milliseconds."})
	for name, q := range map[string]float64{"p50_ns": 50, "p99_ns": 99, "p999_ns": 99.9, "max_ns": 100} {
		r.res.Set("check.1M.writes."+name, float64(busy[0].ValueAtPercentile(q)))
	}
}

// writeInto adds to set, and sweeps it if it can be swept, until stop is
// called.
func writeInto(set rival, round int) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		next := uint64(1<<50) + uint64(round)<<32
		each(done, func(int) {
			for range addsPerSecond * int(tick) / int(time.Second) {
				next++
				if o, ok := set.(ours); ok && next%2 == 0 {
					r := o.record(rescind.ScopeJTI, ids.Identifier(next))
					r.ExpiresAt = lapses
					o.set.Merge(r)
				} else {
					set.Add(ids.Identifier(next))
				}
			}
		})
	})
	if o, ok := set.(ours); ok {
		wg.Go(func() { each(done, func(turn int) { o.set.Sweep(uint64(turn), now) }) })
	}
	return func() {
		close(done)
		wg.Wait()
	}
}

const (
	now    = rescind.Millis(expiry-3600) * 1000
	lapses = now - rescind.Millis(3600_000)
)

// each calls f at every tick.
func each(done <-chan struct{}, f func(turn int)) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for turn := 0; ; turn++ {
		select {
		case <-done:
			return
		case <-t.C:
			f(turn)
		}
	}
}

func newLatencies() *hdrhistogram.Histogram { return hdrhistogram.New(1, int64(time.Minute), 3) }

// latencies times single checks, in nanoseconds.
func latencies(set rival, d time.Duration) *hdrhistogram.Histogram {
	h, src := newLatencies(), ids.NewSource(mainSize, uint64(time.Now().UnixNano()))
	for start := time.Now(); time.Since(start) < d; {
		src.Next()
		for i := range src.IDs {
			began := time.Now()
			set.check(src.IDs[i : i+1])
			if err := h.RecordValue(int64(time.Since(began))); err != nil {
				panic("bench: " + err.Error()) // only above a minute
			}
		}
	}
	return h
}

// adds measures how fast one goroutine applies records.
func (r *run) adds() {
	o := newOurs()
	for i := range mainSize {
		o.Add(ids.Identifier(uint64(i)))
	}
	records := make([]rescind.Record, mainSize)
	for i := range records {
		records[i] = o.record(rescind.ScopeJTI, ids.Identifier(ids.AbsentFrom+uint64(i)))
		records[i].ExpiresAt -= rescind.Millis(i % (24 * 3600_000)) // over a day: 144 buckets
	}
	longest := time.Duration(0)
	start := time.Now()
	for at, i := time.Duration(0), 0; i < len(records); i++ {
		o.set.Merge(records[i])
		after := time.Since(start)
		longest = max(longest, after-at)
		at = after
	}
	rate := float64(len(records)) / time.Since(start).Seconds()
	fmt.Fprintf(r.w, "\nOne goroutine adds 1 M records to 1 M: %.2f M/s, sums for anti-entropy and the clock's reading included; the longest took %.2f ms.\n",
		rate/1e6, longest.Seconds()*1000)
	r.res.Note(fmt.Sprintf("One goroutine adds 1 M records to 1 M: %.2f M a second; the longest add took %.2f ms.", rate/1e6, longest.Seconds()*1000))
	r.res.Set("check.1M.adds_per_second", rate)
	r.res.Set("check.1M.add_max_ms", longest.Seconds()*1000)
}
