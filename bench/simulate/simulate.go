// Package simulate is bench simulate: the promises on bad days, and the window of up
// to 10,000 nodes, in virtual time.
package simulate

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"rescind/bench/progress"
	"rescind/bench/report"
	"rescind/gossip/gossiptest"
)

// Run holds the replication core against its promises on many bad days,
// then shows how the window grows with the cluster.
func Run(ctx context.Context, args []string, r *report.Result) error {
	fs := flag.NewFlagSet("simulate", flag.ContinueOnError)
	seeds := fs.Uint64("seeds", 2000, "bad days; each has a seed of its own and replays with -first SEED -seeds 1")
	first := fs.Uint64("first", 1, "the first seed")
	sizes := fs.String("nodes", "10,100,1000,10000", "sizes of cluster, separated by commas; empty: none")
	limit := fs.Int("real", 30, "up to this size, real cores run as well; beyond it the model alone. 100 takes some minutes")
	quick := fs.Bool("quick", false, "200 seeds, and real cores for 10 nodes only")
	if err := r.Parse(fs, args); err != nil {
		return err
	}
	if *quick {
		*seeds, *limit = min(*seeds, 200), 10
	}
	clusters, err := parseSizes(*sizes)
	if err != nil {
		return err
	}
	r.Settings("seeds", *seeds, "first", *first, "nodes", *sizes, "real", *limit, "network", fmt.Sprintf("%+v", gossiptest.LAN(0)))
	violations, err := days(ctx, *first, *seeds)
	if err != nil {
		return err
	}
	r.Set("sim.seeds", float64(*seeds))
	r.Set("sim.violations", float64(violations))
	r.Title = "Simulated days, and up to 10,000 nodes"
	r.HighlightZero(violations, fmt.Sprintf("of %s simulated days broke a promise", report.Number(float64(*seeds))))
	r.Note("A day is seconds of virtual time on 3 to 50 nodes, with loss, duplicates, delay, reordering, one-way cuts, crashes, old disks, clocks that are off and that jump, skipped records and slow nodes. After each step every promise is checked; a seed that breaks one is printed and replays.")
	scale(clusters, *limit, r)
	if violations > 0 {
		return fmt.Errorf("%d of %d days broke a promise", violations, *seeds)
	}
	return nil
}

// days runs the days on all processors and returns on how many of them a
// promise was broken.
func days(ctx context.Context, first, seeds uint64) (violations int, err error) {
	var (
		wg     sync.WaitGroup
		next   atomic.Uint64
		broken atomic.Int64
		start  = time.Now()
		bar    = progress.New(os.Stderr, float64(seeds))
		out    = bar.Out(os.Stdout)
		part   = max(1, seeds/10)
	)
	defer bar.Close()
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < seeds && ctx.Err() == nil; i = next.Add(1) - 1 {
				if i%part == 0 {
					bar.Step(float64(min(part, seeds-i)), "%d of %d days", i, seeds)
				}
				if err := gossiptest.Run(first+i, gossiptest.Day(first+i)); err != nil {
					broken.Add(1)
					fmt.Fprintln(out, err)
				}
			}
		})
	}
	wg.Wait()
	bar.Close()
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	fmt.Printf("%d days of loss, duplicates, delay, reordering, one-way cuts, crashes, old disks, clocks that are off and that jump,\n"+
		"skipped records and slow nodes, 3 to 50 nodes, in %v: %d broke a promise.\n\n", seeds, time.Since(start).Round(time.Second), broken.Load())
	return int(broken.Load()), nil
}
