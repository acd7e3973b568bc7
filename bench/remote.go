package main

import (
	"context"
	"flag"

	"rescind/bench/report"
)

type remoteBench struct{}

func remoteFlags(fs *flag.FlagSet) *remoteBench { return &remoteBench{} }
func (b *remoteBench) measure(ctx context.Context, urls string, l load, rounds int, r *report.Result) error {
	return nil
}
