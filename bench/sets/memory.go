package sets

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"rescind"
	"rescind/bench/ids"
	"rescind/bench/report"
	"rescind/bench/stats"
)

// Memory fills a set and shows what it takes, and what is left when nine
// tenths have lapsed; then sets of other sizes, beside what one would use
// instead.
func Memory(ctx context.Context, args []string, r *report.Result) error {
	fs := flag.NewFlagSet("memory", flag.ContinueOnError)
	n := fs.Int("entries", bigSize, "live entries")
	percent := fs.Int("gogc", 50, "Go's garbage collection target, in percent")
	most := fs.Int("curve", hugeSize, "the largest set of the plot, which begins at 1,000; 0: no plot")
	quick := fs.Bool("quick", false, "1 M entries, and a plot up to 1 M")
	if err := r.Parse(fs, args); err != nil {
		return err
	}
	if *quick {
		*n, *most = million, million
	}
	if *n < 1000 || *most < 0 || *most > 1_000_000_000 {
		return errors.New("use at least 1000 entries, and a curve up to 1,000,000,000")
	}
	debug.SetGCPercent(*percent)
	r.Title = "Memory"
	r.Settings("entries", *n, "gogc", *percent, "curve", *most)
	prefix := fmt.Sprintf("memory.%d.", *n)
	measureMemory(os.Stdout, *n, prefix, r.Set)
	if peak, ok := peakMemory(); ok {
		fmt.Printf("The process took at most %.2f GiB from the system (GOGC=%d).\n", peak/(1<<30), *percent)
		r.Set(prefix+"peak_bytes", peak)
	}
	r.Highlight(report.Number(r.Figures[prefix+"bytes_per_entry"])+" bytes", fmt.Sprintf("of heap for each of %s revocations, filter and sums included", report.Number(float64(*n))))
	r.Highlight(report.Number(r.Figures[prefix+"gc_ms"])+" ms", "for a garbage collection: the set holds no pointers to follow")
	t := report.Table{Title: fmt.Sprintf("A set of %s entries, of which nine tenths then lapse", report.Number(float64(*n))), Columns: []string{"", "value"}}
	t.Row("heap when full, MB", r.Figures[prefix+"heap_full_bytes"]/1e6)
	t.Row("heap after the lapsed were swept, MB", r.Figures[prefix+"heap_lapsed_bytes"]/1e6)
	t.Row("longest turn of the sweep, ms", r.Figures[prefix+"sweep_max_ms"])
	r.Table(t)
	return memoryCurve(ctx, *most, r)
}

// measureMemory prints the heap of a set of n entries, of which nine tenths
// then lapse.
func measureMemory(w io.Writer, n int, prefix string, set func(figure string, value float64)) {
	before := stats.Heap()
	o := newOurs()
	for i := range n {
		r := o.record(rescind.ScopeJTI, ids.Identifier(uint64(i)))
		if i%10 != 0 {
			r.ExpiresAt = lapses
		} else {
			r.ExpiresAt -= rescind.Millis(i % 3600_000)
		}
		o.set.Merge(r)
	}
	full := float64(stats.Heap() - before)
	start := time.Now()
	runtime.GC()
	cycle := time.Since(start)
	start = time.Now()
	longest := time.Duration(0)
	swept := 0
	for turn := range uint64(256) {
		began := time.Now()
		swept += o.set.Sweep(turn, now)
		longest = max(longest, time.Since(began))
	}
	sweep := time.Since(start)
	left := float64(stats.Heap() - before)
	fmt.Fprintf(w, "\n%d live jti entries: %.1f bytes each, filter and sums included. A garbage collection takes %.2f ms.\n", n, full/float64(n), cycle.Seconds()*1000)
	fmt.Fprintf(w, "%d of them lapse: 256 sweeps take %.0f ms, the longest %.1f ms. Heap before: %.1f MB, after: %.1f MB.\n",
		swept, sweep.Seconds()*1000, longest.Seconds()*1000, full/1e6, left/1e6)
	set(prefix+"bytes_per_entry", full/float64(n))
	set(prefix+"gc_ms", cycle.Seconds()*1000)
	set(prefix+"heap_full_bytes", full)
	set(prefix+"heap_lapsed_bytes", left)
	set(prefix+"sweep_max_ms", longest.Seconds()*1000)
	runtime.KeepAlive(o)
}

// memory compares the heap with that of a map.
func (r *run) memory() {
	measureMemory(r.w, bigSize, "check.10M.", r.res.Set)
	plain := fill(bigSize, "map")
	start := time.Now()
	runtime.GC()
	cycle := time.Since(start)
	runtime.KeepAlive(plain)
	fmt.Fprintf(r.w, "A map[string]int64 of as many: %.1f bytes each, a garbage collection takes %.0f ms.\n", plain.bytes[0], cycle.Seconds()*1000)
	r.res.Set("check.10M.bytes_per_entry.map", plain.bytes[0])
	r.res.Set("check.10M.gc_ms.map", cycle.Seconds()*1000)
}

// peakMemory returns the largest resident memory that this process has had, in
// bytes, where the system tells.
func peakMemory() (float64, bool) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(status)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kib); n == 1 {
			return kib * 1024, true
		}
	}
	return 0, false
}

// availableMemory returns what the system could give without swapping, in
// bytes; -1 if it does not tell.
func availableMemory() float64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return -1
	}
	for line := range strings.Lines(string(text)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "MemAvailable: %f kB", &kib); n == 1 {
			return kib * 1024
		}
	}
	return -1
}
