// Command bench measures Rescind on the machine that it runs on.
//
//	go run ./bench check         the cost of one check, beside what one would use instead
//	go run ./bench front         /v1/check by HTTP, beside nginx alone and golang-jwt with Redis
//	go run ./bench consume       one-time tokens: how often one is used twice, and the price of never
//	go run ./bench memory        what a set takes, and gives back
//	go run ./bench propagation   the window from Revoke called on one node to refused on every other
//	go run ./bench simulate      the promises on thousands of bad days, and the window of up to 10,000 nodes, in virtual time
//	go run ./bench verify        the cost of verifying a token, beside golang-jwt alone
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
)

var commands = map[string]func(ctx context.Context, args []string) error{
	"check":       runCheck,
	"front":       runFront,
	"front-ours":  runFrontOurs, // these two are started by front
	"front-rival": runFrontRival,
	"consume":     runConsume,
	"memory":      runMemory,
	"propagation": runPropagation,
	"simulate":    runSimulate,
	"verify":      runVerify,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run, name := (func(context.Context, []string) error)(nil), ""
	if len(os.Args) > 1 {
		name = os.Args[1]
		run = commands[name]
	}
	if run == nil {
		names := make([]string, 0, len(commands))
		for name := range commands {
			names = append(names, name)
		}
		slices.Sort(names)
		fmt.Fprintf(os.Stderr, "usage: go run ./bench %s [flags]; -h shows them\n", strings.Join(names, "|"))
		os.Exit(2)
	}
	if err := run(ctx, os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "bench %s: %v\n", name, err)
		os.Exit(1)
	}
}
