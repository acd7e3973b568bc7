package sets

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"rescind/bench/progress"
	"rescind/bench/report"
)

// memoryRivals are drawn beside ours, up to bigSize: beyond it a map of strings
// takes more than most machines have.
var memoryRivals = []string{"rescind", plainMapDesign, "map", "sync.Map"}

// memoryCurve draws the heap for each entry against the size of the set.
func memoryCurve(ctx context.Context, most int, r *report.Result) error {
	if most < 1000 {
		return nil
	}
	bar := progress.New(os.Stderr, float64(2*most))
	defer bar.Close()
	w := bar.Out(os.Stdout)
	lines := make([]report.Line, len(memoryRivals))
	t := report.Table{Title: "Heap for each entry, in bytes", Columns: append([]string{"entries"}, memoryRivals...)}
	for n := 1000; n <= most; n *= 10 {
		if free := availableMemory(); n >= hugeSize && free < hugeMemory {
			r.Note(fmt.Sprintf("A set of %s entries was left out: %.1f GiB of memory are free, and %d GiB are wanted for it.", report.Number(float64(n)), free/(1<<30), hugeMemory>>30))
			break
		}
		bar.Step(float64(n), "%d entries", n)
		row := []any{n}
		for i, name := range memoryRivals {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if i > 0 && n > bigSize {
				row = append(row, "-")
				continue
			}
			bytes := fill(n, name).bytes[0]
			runtime.GC()
			lines[i].Name, lines[i].Points, lines[i].Dashed = name, true, i > 0
			lines[i].X, lines[i].Y = append(lines[i].X, float64(n)), append(lines[i].Y, bytes)
			row = append(row, bytes)
			r.Set(fmt.Sprintf("memory.curve.%d.%s.bytes_per_entry", n, figureName(name)), bytes)
		}
		t.Row(row...)
	}
	bar.Close()
	r.Lines(report.Lines{Title: "Heap for each entry by the size of the set", X: report.Axis{Label: "Entries", Log: true}, Y: report.Axis{Label: "Heap for each entry", Unit: "bytes"}, Lines: lines,
		Caption: "Rescind holds a digest, two times and the Bloom filter's bits, and none of the identifier; the maps hold the identifier (36 bytes) and one time. A small set of ours keeps room for its shards."})
	r.Table(t)
	return t.Text(w)
}
