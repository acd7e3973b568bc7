// Command bench measures Rescind on the machine that it runs on.
//
//	go run ./bench check         the cost of one check, beside what one would use instead
//	go run ./bench compare       ways to refuse logged-out tokens: Redis, PostgreSQL, Bloom filters, introspection, ours
//	go run ./bench faults        what nodes claim of their staleness over what is true, while things go wrong
//	go run ./bench front         /v1/check by HTTP, beside nginx alone and golang-jwt with Redis
//	go run ./bench consume       one-time tokens: how often one is used twice, and the price of never
//	go run ./bench load          an API under load, every answer held against what must be true
//	go run ./bench memory        what a set takes, and gives back
//	go run ./bench propagation   the window from Revoke called on one node to refused on every other
//	go run ./bench regions       the same over regions that are 80 ms apart, and while the link between them is cut
//	go run ./bench simulate      the promises on thousands of bad days, and the window of up to 10,000 nodes, in virtual time
//	go run ./bench all --quick   all of these in short, on one page
//	go run ./bench page          one page from the --json files of several runs
//	go run ./bench diff          what got better or worse between two --json files, beyond the noise
//	go run ./bench verify        the cost of verifying a token, beside golang-jwt alone
//
// Every command takes --out report.html for a page and --json FILE for figures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"

	"rescind/bench/compare"
	"rescind/bench/consume"
	"rescind/bench/faults"
	"rescind/bench/front"
	"rescind/bench/load"
	"rescind/bench/propagation"
	"rescind/bench/regions"
	"rescind/bench/report"
	"rescind/bench/sets"
	"rescind/bench/simulate"
	"rescind/bench/verify"
)

// command measures something. It fills the result, also when it returns an
// error because a promise was broken, and prints to stdout.
type command struct {
	run   func(ctx context.Context, args []string, r *report.Result) error
	about string   // one line
	quick []string // the flags with which 'bench all --quick' runs it; nil: it is not part of bench all
	long  bool     // it is part of bench all, but not of the five minutes of --quick
}

// commands returns them by name. One without about is started by others.
func commands() map[string]command {
	return map[string]command{
		"check":       {run: sets.Check, about: "the cost of one check, beside what one would use instead", quick: []string{"--quick"}},
		"diff":        {run: runDiff, about: "what got better or worse between two --json files, beyond the noise"},
		"faults":      {run: faults.Run, about: "what nodes claim of their staleness over what is true, while things go wrong", quick: []string{"--quick"}},
		"faults-nats": {run: withoutResult(faults.RunNATS)},
		"front":       {run: front.Run, about: "/v1/check by HTTP, beside nginx alone and golang-jwt with Redis"},
		"front-ours":  {run: withoutResult(front.RunOurs)},
		"front-rival": {run: withoutResult(front.RunRival)},
		"all":         {run: runAll, about: "one page of everything; --quick takes less than five minutes"},
		"page":        {run: runPage, about: "one page from the --json files of several runs"},
		"compare":     {run: compare.Run, about: "ways to refuse logged-out tokens: Redis, PostgreSQL, Bloom filters, introspection, ours", quick: []string{"--quick"}},
		"consume":     {run: consume.Run, about: "one-time tokens: how often one is used twice, and the price of never", quick: []string{"--quick"}, long: true},
		"load":        {run: load.Run, about: "an API under load, every answer held against what must be true", quick: []string{"--quick"}},
		"memory":      {run: sets.Memory, about: "what a set takes, and gives back", quick: []string{"--quick"}},
		"propagation": {run: propagation.Run, about: "the window from Revoke called on one node to refused on every other", quick: []string{"--quick"}},
		"regions":     {run: regions.Run, about: "the window between regions, what the link carries, and what a cut does", quick: []string{"--quick"}, long: true},
		"simulate":    {run: simulate.Run, about: "the promises on bad days, and the window of up to 10,000 nodes, in virtual time", quick: []string{"--quick"}},
		"verify":      {run: verify.Run, about: "the cost of verifying a token, beside golang-jwt alone", quick: []string{"--quick"}},
	}
}

func withoutResult(run func(context.Context, []string) error) func(context.Context, []string, *report.Result) error {
	return func(ctx context.Context, args []string, _ *report.Result) error { return run(ctx, args) }
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	name := ""
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	c, found := commands()[name]
	if !found {
		usage()
		os.Exit(2)
	}
	if err := c.measure(ctx, name, os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "bench %s: %v\n", name, err)
		os.Exit(1)
	}
}

// measure runs the command and writes the files that its flags name, also where
// a promise was broken, so that the page shows what happened.
func (c command) measure(ctx context.Context, name string, args []string) error {
	r := report.New(name)
	r.Command = strings.Join(append([]string{"bench", name}, args...), " ")
	if c.about != "" {
		r.Title = strings.ToUpper(c.about[:1]) + c.about[1:]
	}
	err := c.run(ctx, args, r)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if len(r.Figures) == 0 {
		return err
	}
	return errors.Join(err, r.Output.Write(r))
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: go run ./bench COMMAND [flags]; -h shows the flags")
	all := commands()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if all[name].about != "" {
			fmt.Fprintf(os.Stderr, "  %-12s %s\n", name, all[name].about)
		}
	}
}
