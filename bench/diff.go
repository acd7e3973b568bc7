package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"rescind/bench/report"
)

// runDiff compares the files of two runs.
func runDiff(_ context.Context, args []string, r *report.Result) error {
	fs := flag.NewFlagSet("diff", flag.ContinueOnError)
	all := fs.Bool("all", false, "list also the figures that do not differ, and those that can't be compared")
	fs.Usage = func() {
		fmt.Fprintln(fs.Output(), "usage: bench diff [flags] old.json new.json")
		fs.PrintDefaults()
	}
	r.Output.Flags(fs)
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() != 2 {
		return errors.New("give two files: the old and the new")
	}
	old, err := report.Read(fs.Arg(0))
	if err != nil {
		return err
	}
	new, err := report.Read(fs.Arg(1))
	if err != nil {
		return err
	}
	c := report.Diff(old, new)
	r.Noise = append(r.Noise, c.Doubts...)
	for _, doubt := range c.Doubts {
		fmt.Printf("Note: %s\n", doubt)
	}
	shown := []report.Verdict{report.Worse, report.Improved, report.Changed}
	if *all {
		shown = append(shown, report.Alike, report.FewRound, report.Once, report.Gone, report.Added)
	}
	for _, v := range shown {
		if t := c.Table(v); len(t.Rows) > 0 {
			r.Table(t)
			if err := t.Text(os.Stdout); err != nil {
				return err
			}
		}
	}
	summary := fmt.Sprintf("Of %d figures %d got worse, %d got better and %d changed otherwise. %d were tested against noise (medians, Mann-Whitney U, 5 %%): about %d of them would look changed by chance. %d have too few rounds, %d were measured only once.",
		len(c.Changes), c.Count(report.Worse), c.Count(report.Improved), c.Count(report.Changed), c.Tests(), c.Tests()/20, c.Count(report.FewRound), c.Count(report.Once))
	fmt.Printf("\n%s\n", summary)
	r.Note(summary)
	r.Set("diff.figures", float64(len(c.Changes)))
	r.Set("diff.worse", float64(c.Count(report.Worse)))
	r.Set("diff.better", float64(c.Count(report.Improved)))
	return nil
}
