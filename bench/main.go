// Command bench measures Rescind on the machine that it runs on.
//
//	go run ./bench propagation   the window from Revoke called on one node to refused on every other
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) < 2 || os.Args[1] != "propagation" {
		fmt.Fprintln(os.Stderr, "usage: go run ./bench propagation [flags]; -h shows them")
		os.Exit(2)
	}
	if err := runPropagation(ctx, os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
