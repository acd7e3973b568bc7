package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// settings of one measurement.
type settings struct {
	nodes    int
	rate     int // revocations per second, on one node after the other
	duration time.Duration
	warmUp   time.Duration
	rounds   int
}

// runPropagation measures each carrier and prints a table.
func runPropagation(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("propagation", flag.ContinueOnError)
	var s settings
	fs.IntVar(&s.nodes, "nodes", 5, "nodes in this process")
	fs.IntVar(&s.rate, "rate", 200, "revocations per second in all")
	fs.DurationVar(&s.duration, "duration", 5*time.Second, "how long to measure, each round")
	fs.DurationVar(&s.warmUp, "warm-up", time.Second, "how long to revoke before measuring")
	fs.IntVar(&s.rounds, "rounds", 3, "rounds; the table shows the median of each figure")
	carriers := fs.String("carriers", "gossip,nats,both", "which carriers to measure")
	quick := fs.Bool("quick", false, "one round of two seconds")
	out := fs.String("json", "", "write the figures to this file")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if *quick {
		s.rounds, s.duration = 1, 2*time.Second
	}
	if s.nodes < 2 || s.rate < 1 || s.rounds < 1 || s.duration <= 0 {
		return errors.New("use at least 2 nodes, 1 revocation per second, 1 round and a duration")
	}
	all := map[string][]result{}
	names := strings.Split(*carriers, ",")
	for round := range s.rounds {
		for _, name := range names { // interleaved, so that a noisy moment hits all
			r, err := measure(ctx, name, s)
			if err != nil {
				return fmt.Errorf("%s, round %d: %w", name, round+1, err)
			}
			all[name] = append(all[name], r)
		}
	}
	printTable(os.Stdout, s, names, all)
	if *out != "" {
		return writeFigures(*out, s, names, all)
	}
	return nil
}

func printTable(w io.Writer, s settings, names []string, all map[string][]result) {
	fmt.Fprintf(w, "Window from Revoke called to refused by Check, in milliseconds: %d nodes in one process, %d/s, %v, median of %d rounds.\n",
		s.nodes, s.rate, s.duration, s.rounds)
	fmt.Fprintf(w, "%s, %s/%s, %d CPUs. Resolution about 0.1 ms. \"last\" is the slowest of the other nodes, the security answer.\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "carrier\tto\tp50\tp90\tp99\tmax\tspread of p50\tsamples\tlost\t")
	for _, name := range names {
		for _, to := range []string{"each", "last"} {
			h := func(q float64) float64 { return median(all[name], func(r result) float64 { return r.at(to, q) }) }
			low, high := spread(all[name], func(r result) float64 { return r.at(to, 50) })
			fmt.Fprintf(t, "%s\t%s\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f-%.2f\t%d\t%d\t\n", name, to, h(50), h(90), h(99), h(100), low, high,
				sum(all[name], func(r result) int { return int(r.hist(to).TotalCount()) }), sum(all[name], func(r result) int { return r.lost }))
		}
	}
	t.Flush()
}

// writeFigures writes what the table shows, and more, for programs.
func writeFigures(path string, s settings, names []string, all map[string][]result) error {
	figures := map[string]float64{}
	lost := 0
	for _, name := range names {
		prefix := fmt.Sprintf("window.%s.n%d.", name, s.nodes)
		for suffix, q := range map[string]float64{"p50_ms": 50, "p90_ms": 90, "p99_ms": 99, "max_ms": 100} {
			figures[prefix+suffix] = median(all[name], func(r result) float64 { return r.at("each", q) })
			figures[prefix+"last."+suffix] = median(all[name], func(r result) float64 { return r.at("last", q) })
		}
		lost += sum(all[name], func(r result) int { return r.lost })
	}
	figures["window.lost"] = float64(lost)
	return writeJSON(path, map[string]any{"nodes": s.nodes, "rate": s.rate, "duration": s.duration.String(), "rounds": s.rounds}, figures)
}
