package report

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

// When a run is called noisy.
const (
	noisyLoad   = 0.5  // processes that wanted a processor before, per processor
	noisySteal  = 0.02 // of the processors' time taken by the hypervisor
	noisySpread = 0.25 // between the quartiles of the rounds, as a share of the median
)

// pressure is what else happened on the machine.
type pressure struct {
	load         float64 // -1: unknown
	steal, total float64 // time of all processors since boot, in ticks
}

func readPressure() pressure {
	p := pressure{load: -1}
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Sscan(string(b), &p.load)
	}
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return p
	}
	first, _, _ := strings.Cut(string(b), "\n")
	for i, word := range strings.Fields(first) {
		var ticks float64
		if fmt.Sscan(word, &ticks); i >= 1 && i <= 8 { // user to steal; guests are part of user
			p.total += ticks
			if i == 8 {
				p.steal = ticks
			}
		}
	}
	return p
}

// disturbances returns, in sentences, why the figures are to be doubted.
func (r *Result) disturbances(after pressure) (why []string) {
	if cpus := float64(runtime.NumCPU()); r.before.load > noisyLoad*cpus {
		why = append(why, fmt.Sprintf("The machine was busy before the run: %.1f processes wanted one of %.0f processors.", r.before.load, cpus))
	}
	if total := after.total - r.before.total; total > 0 {
		if share := (after.steal - r.before.steal) / total; share > noisySteal {
			why = append(why, fmt.Sprintf("The hypervisor gave %.0f %% of the processors' time to others meanwhile (steal).", 100*share))
		}
	}
	if noisy := r.noisy(); len(noisy) > 0 && len(r.Parts) == 0 { // parts have said so
		why = append(why, fmt.Sprintf("Half of the rounds lie more than %.0f %% apart for %d of %d figures, the widest: %s.", 100*noisySpread, len(noisy), len(r.Samples), strings.Join(noisy[:min(3, len(noisy))], ", ")))
	}
	return why
}

// noisy returns the figures whose rounds lie far apart, the widest first.
func (r *Result) noisy() []string {
	width := map[string]float64{}
	for name, values := range r.Samples {
		sorted := slices.Sorted(slices.Values(values))
		middle := Median(values)
		if len(values) < 3 || middle <= 0 {
			continue
		}
		if w := (pick(sorted, 0.75) - pick(sorted, 0.25)) / middle; w > noisySpread {
			width[name] = w
		}
	}
	names := make([]string, 0, len(width))
	for name := range width {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if width[a] != width[b] {
			if width[a] > width[b] {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return names
}
