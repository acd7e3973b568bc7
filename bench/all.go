package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"rescind/bench/report"
)

// readingOrder is that of the page: what matters most comes first. Commands
// that are not named come last.
var readingOrder = []string{"propagation", "regions", "compare", "load", "faults", "check", "memory", "verify", "simulate"}

// runAll runs the other commands, each in a process of its own, so that none
// finds another's garbage, settings of the runtime or open connections.
func runAll(ctx context.Context, args []string, r *report.Result) error {
	fs := flag.NewFlagSet("all", flag.ContinueOnError)
	quick := fs.Bool("quick", false, "all in short, in less than five minutes")
	if err := r.Parse(fs, args); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "rescind-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r.Title = "Everything"
	r.Settings("quick", *quick)
	names, began := parts(*quick), time.Now()
	var failures error
	for i, name := range names {
		fmt.Fprintf(os.Stderr, "\nbench %s (%d of %d, after %v)\n\n", name, i+1, len(names), time.Since(began).Round(time.Second))
		var flags []string
		if *quick {
			flags = commands()[name].quick
		}
		part, err := runPart(ctx, self, dir, name, flags)
		if err != nil {
			failures = errors.Join(failures, fmt.Errorf("bench %s: %w", name, err))
			r.Doubt(fmt.Sprintf("bench %s failed: %v", name, err))
		}
		if part != nil {
			r.Include(part)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	fmt.Fprintf(os.Stderr, "\n%d of %d commands in %v\n", len(r.Parts), len(names), time.Since(began).Round(time.Second))
	return failures
}

// parts returns the names of the commands of which the page consists.
func parts(quick bool) []string {
	all := commands()
	names := slices.DeleteFunc(slices.Collect(maps.Keys(all)), func(n string) bool { return all[n].quick == nil || quick && all[n].long })
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b))
	})
	return names
}

func place(name string) int {
	if i := slices.Index(readingOrder, name); i >= 0 {
		return i
	}
	return len(readingOrder)
}

// runPart runs one command. One that broke a promise has a result, too.
func runPart(ctx context.Context, self, dir, name string, flags []string) (*report.Result, error) {
	file := filepath.Join(dir, name+".json")
	cmd := exec.CommandContext(ctx, self, append([]string{name, "--json", file}, flags...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	failure := cmd.Run()
	part, err := report.Read(file)
	if err != nil {
		return nil, errors.Join(failure, err)
	}
	part.Command = "bench " + name
	for _, f := range flags {
		part.Command += " " + f
	}
	return part, failure
}

// runPage makes one page from files.
func runPage(_ context.Context, args []string, r *report.Result) error {
	fs := flag.NewFlagSet("page", flag.ContinueOnError)
	out := fs.String("out", "report.html", "write the page to this `file`")
	fs.Usage = func() {
		fmt.Fprintln(fs.Output(), "usage: bench page [--out report.html] one.json two.json ...")
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() == 0 {
		return errors.New("name the --json files of the runs")
	}
	var results []*report.Result
	for _, path := range fs.Args() {
		part, err := report.Read(path)
		if err != nil {
			return err
		}
		results = append(results, part)
	}
	f, err := os.Create(*out)
	if err != nil {
		return err
	}
	return errors.Join(report.WriteHTML(f, results...), f.Close())
}
