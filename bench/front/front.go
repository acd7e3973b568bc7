// Package front is bench front: /v1/check by HTTP, beside nginx alone and golang-jwt
// with Redis.
package front

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"text/tabwriter"
	"time"

	"rescind/bench/report"
	"rescind/bench/stats"
)

const issuer = "https://front.rescind.invalid"

// Run compares /v1/check over keep-alive connections with nginx that answers
// 200 to everything, and with what a user would write instead: golang-jwt and a
// Redis EXISTS. Each server is a process of its own; they take turns, so that a
// noisy moment hits all.
func Run(ctx context.Context, args []string, r *report.Result) error {
	fs := flag.NewFlagSet("front", flag.ContinueOnError)
	connections := fs.Int("connections", 64, "keep-alive connections")
	rounds := fs.Int("rounds", 5, "rounds; the table shows the median of each figure")
	duration := fs.Duration("duration", 3*time.Second, "how long to measure, each round")
	if err := r.Parse(fs, args); err != nil {
		return err
	}
	if *connections < 1 || *rounds < 1 || *duration <= 0 {
		return errors.New("use at least 1 connection, 1 round and a duration")
	}
	tokens, err := newTokens(1000)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "rescind-front-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	servers, err := startFronts(ctx, dir)
	defer func() {
		for _, s := range servers {
			s.stop()
		}
	}()
	if err != nil {
		return err
	}
	runs := map[string][]run{}
	for round := range *rounds + 1 { // the first warms up
		for _, s := range servers {
			r, err := loadFront(ctx, s.addr, tokens, *connections, *duration)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			if round > 0 {
				runs[s.name] = append(runs[s.name], r)
			}
		}
	}
	r.Settings("connections", *connections, "rounds", *rounds, "duration", duration.String())
	printFront(os.Stdout, servers, runs, *connections, *rounds, *duration, r)
	return nil
}

// What the servers are called.
const (
	frontOurs  = "rescind /v1/check"
	frontNginx = "nginx, 200 without a look"
	frontRival = "golang-jwt + Redis EXISTS"
)

func printFront(w io.Writer, servers []*front, runs map[string][]run, connections, rounds int, d time.Duration, r *report.Result) {
	fmt.Fprintf(w, "%d keep-alive connections, 1,000 tokens (ES256), %v, medians of %d rounds; load and servers share the processors.\n%s, %s/%s, %d CPUs.\n\n",
		connections, d, rounds, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "server\treq/s\tp50 ms\tp99 ms\tof nginx\tof golang-jwt + Redis")
	rate := func(name string) []float64 { return over(runs[name], func(r run) float64 { return r.perSecond }) }
	r.Title = "Forward-auth over HTTP"
	r.Note(fmt.Sprintf("%d keep-alive connections, 1,000 tokens (ES256), %v in each of %d interleaved rounds. Load and servers share the processors of one machine; each connection sends the next request when it has the answer (closed loop), so this is throughput, not the latency at a given rate.", connections, d, rounds))
	bars := report.Bars{Title: "Requests a second", Value: report.Axis{Label: "Requests", Unit: "1/s"}, Caption: "Longer is better. Whiskers: half of the rounds lie within."}
	shown := report.Table{Columns: []string{"server", "requests/s", "p50 ms", "p99 ms", "of nginx", "of golang-jwt + Redis"}}
	for _, s := range servers {
		p50 := stats.Median(over(runs[s.name], func(r run) float64 { return r.p50 }))
		p99 := stats.Median(over(runs[s.name], func(r run) float64 { return r.p99 }))
		ofNginx, ofRival := stats.Median(stats.Ratios(rate(s.name), rate(frontNginx))), stats.Median(stats.Ratios(rate(s.name), rate(frontRival)))
		fmt.Fprintf(t, "%s\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\n", s.name, stats.Median(rate(s.name)), p50, p99, ofNginx, ofRival)
		low, high := stats.Quartiles(rate(s.name))
		bars.Bars = append(bars.Bars, report.Bar{Name: s.name, Value: stats.Median(rate(s.name)), Low: low, High: high, Ours: s.name == frontOurs})
		shown.Row(s.name, stats.Median(rate(s.name)), p50, p99, ofNginx, ofRival)
		r.Rounds("front."+s.key+".per_second", rate(s.name))
		r.Rounds("front."+s.key+".p99_ms", over(runs[s.name], func(r run) float64 { return r.p99 }))
		r.Rounds("front."+s.key+".ratio.nginx", stats.Ratios(rate(s.name), rate(frontNginx)))
		r.Rounds("front."+s.key+".ratio.rival", stats.Ratios(rate(s.name), rate(frontRival)))
		r.Better["front."+s.key+".ratio.nginx"], r.Better["front."+s.key+".ratio.rival"] = report.Higher, report.Higher
	}
	r.Bars(bars)
	r.Table(shown)
	t.Flush()
}

func over(runs []run, f func(run) float64) []float64 {
	values := make([]float64, len(runs))
	for i, r := range runs {
		values[i] = f(r)
	}
	return values
}
