// Package load is bench load: an API under load, every answer held against what must
// be true (package oracle).
package load

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"rescind/bench/oracle"
	"rescind/bench/progress"
	"rescind/bench/report"
	"rescind/bench/window"
	"rescind/token"
)

// settings of one run of bench load.
type settings struct {
	rate     int
	duration time.Duration
	window   time.Duration
	users    int
	mix      map[string]float64
	nodes    int
	carriers string
	running  runningCluster
}

const standardMix = "check=95,login=1.4,refresh=2,logout=1.2,everywhere=0.4"

// Run puts an API under load and verifies every answer.
func Run(ctx context.Context, args []string, r *report.Result) (err error) {
	fs := flag.NewFlagSet("load", flag.ContinueOnError)
	s := settings{}
	nodes := fs.String("nodes", "3", "how many nodes in this process, or the URLs of a cluster that runs, separated by commas")
	fs.IntVar(&s.rate, "rate", 1000, "requests per second in all, sent when they are due")
	fs.DurationVar(&s.duration, "duration", time.Minute, "how long")
	fs.DurationVar(&s.window, "window", time.Second, "when every node must refuse: what is accepted later is a violation")
	fs.IntVar(&s.users, "users", 500, "users, each on up to 3 devices")
	mix := fs.String("mix", standardMix, "percent of each: checks, logins, refreshes, log-outs of one device, log-outs everywhere")
	fs.StringVar(&s.carriers, "carriers", "both", "of nodes in this process: gossip, nats or both")
	fs.StringVar(&s.running.keysFile, "signing-key-file", "", "with URLs: the private keys of an issuer that the cluster trusts, issuer.jwks of 'rescind keys generate'")
	fs.StringVar(&s.running.issuer, "issuer", demoIssuer, "with URLs: its name")
	fs.StringVar(&s.running.audience, "audience", "", "with URLs: the aud of the tokens")
	fs.StringVar(&s.running.adminFile, "admin-token-file", "", "with URLs: the cluster's admin token")
	fs.StringVar(&s.running.caFile, "ca-file", "", "with URLs: certificates to trust besides the system's, in PEM")
	quick := fs.Bool("quick", false, "15 seconds")
	if err := r.Parse(fs, args); err != nil {
		return err
	}
	if *quick {
		s.duration = 15 * time.Second
	}
	if s.mix, err = parseLoadMix(*mix); err != nil {
		return err
	}
	if n, err := strconv.Atoi(*nodes); err == nil {
		s.nodes = n
	} else {
		s.running.urls = *nodes
	}
	if s.rate < 1 || s.duration <= 0 || s.window <= 0 || s.users < 1 || s.running.urls == "" && s.nodes < 2 {
		return errors.New("use at least 2 nodes, 1 request a second, 1 user, a duration and a window")
	}
	r.Settings("nodes", *nodes, "rate", s.rate, "duration", s.duration.String(), "window", s.window.String(), "users", s.users, "mix", *mix, "carriers", s.carriers)
	site, err := s.site(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, site.close()) }()
	d := newDriver(site, s.window, s.mix, s.users)
	took, err := s.drive(ctx, d)
	if err != nil {
		return err
	}
	return s.print(os.Stdout, d, took, r)
}

func (s settings) site(ctx context.Context) (*loadSite, error) {
	if s.running.urls != "" {
		site, err := s.running.site()
		if err != nil {
			return nil, err
		}
		return site, site.await(ctx)
	}
	window.ShareRuntime(s.nodes)
	keys, err := token.GenerateKeySet()
	if err != nil {
		return nil, err
	}
	return localCluster{Group: window.Group{Carriers: s.carriers, Nodes: s.nodes}, keys: keys}.site(ctx)
}

func (s settings) drive(ctx context.Context, d *driver) (took time.Duration, err error) {
	bar := progress.New(os.Stderr, s.duration.Seconds()+5)
	defer bar.Close()
	bar.Step(1, "log in %d users", s.users)
	if err := d.logInAll(ctx); err != nil {
		return 0, fmt.Errorf("log in: %w", err)
	}
	bar.Step(s.duration.Seconds(), "%d requests a second for %v", s.rate, s.duration)
	if took, err = d.run(ctx, s.rate, int(float64(s.rate)*s.duration.Seconds())); err != nil {
		return 0, err
	}
	bar.Step(4, "ask every node about every token")
	d.sweep(ctx)
	return took, ctx.Err()
}

// parseLoadMix reads percentages; what is left of 100 is checks.
func parseLoadMix(text string) (map[string]float64, error) {
	mix, sum := map[string]float64{}, 0.0
	for part := range strings.SplitSeq(text, ",") {
		name, number, _ := strings.Cut(strings.TrimSpace(part), "=")
		percent, err := strconv.ParseFloat(number, 64)
		if err != nil || !(percent >= 0 && percent <= 100) || !slices.Contains(ops, name) {
			return nil, fmt.Errorf("--mix: %q is not a percentage of one of %s", part, strings.Join(ops, ", "))
		}
		if _, twice := mix[name]; twice {
			return nil, fmt.Errorf("--mix: %s is there twice", name)
		}
		mix[name] = percent / 100
		sum += percent
	}
	if sum > 100.001 {
		return nil, fmt.Errorf("--mix: the percentages sum up to %g", sum)
	}
	return mix, nil
}

// print enters figures and makes tables. It returns an error if an answer was
// wrong.
func (s settings) print(w io.Writer, d *driver, took time.Duration, r *report.Result) error {
	t := report.Table{
		Title:   fmt.Sprintf("An API under load: %d nodes, %d requests per second asked for", len(d.site.urls), s.rate),
		Columns: []string{"", "requests", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "failed"},
		Caption: "Times from when a request was due, so that a slow answer delays none that comes after it. One that failed counts as a minute.",
	}
	p := report.Percentiles{Title: "Latency of requests, from when they were due", Unit: "ms"}
	checks := newLatencies()
	for _, what := range append(slices.Clone(d.site.faces), ops...) {
		h := d.times[what]
		if h == nil {
			continue
		}
		name, key := what, what
		switch what {
		case facePath:
			name, key = "GET "+facePath+", the HTTP face", "face"
		case opLogout:
			name = "log out this device"
		case opEverywhere:
			name = "log out everywhere"
		case middlewarePath:
			name, key = "GET "+middlewarePath+", a handler behind the middleware", "middleware"
		}
		if slices.Contains(d.site.faces, what) {
			checks.Merge(h)
		}
		at := func(q float64) float64 { return float64(h.ValueAtPercentile(q)) / 1000 }
		t.Row(name, h.TotalCount(), at(50), at(99), at(99.9), float64(h.Max())/1000, d.failed[what])
		r.Set("load."+key+".p50_ms", at(50))
		r.Set("load."+key+".p99_ms", at(99))
		r.Set("load."+key+".failed", float64(d.failed[what]))
		p.Distributions = append(p.Distributions, report.FromHistogram(name, h, 1000, int64(d.failed[what]), longest.Microseconds()))
	}
	requests := int64(0)
	for what, h := range d.times {
		requests += h.TotalCount() - int64(d.failed[what])
	}
	r.Set("load.skipped", float64(d.idle.Load()))
	r.Set("load.rps", float64(requests)/took.Seconds())
	r.Set("load.p50_ms", float64(checks.ValueAtPercentile(50))/1000)
	r.Set("load.p99_ms", float64(checks.ValueAtPercentile(99))/1000)
	s.show(w, r, t)
	r.Percentiles(p)
	s.printTruth(w, d, r)
	if n := d.tally.Wrong(); n > 0 {
		return fmt.Errorf("%d of %d answers were wrong", n, d.tally.Total())
	}
	if d.first != nil {
		return fmt.Errorf("not all requests succeeded, the first: %w", d.first)
	}
	if idle := d.idle.Load(); idle*100 > requests {
		return fmt.Errorf("%d requests of %d found no user or token to act for, so the load was less than it says: raise --users", idle, requests)
	}
	return nil
}

// printTruth says what the oracle found.
func (s settings) printTruth(w io.Writer, d *driver, r *report.Result) {
	t := report.Table{
		Title:   "Every answer, held against what must be true",
		Columns: []string{"", "answers"},
		Caption: fmt.Sprintf("A token whose log-out was acknowledged more than %v before the request must be refused by every node, one that nobody logged out must be accepted, "+
			"and in between both are right. At the end every node was asked about every token.", s.window),
	}
	for v := oracle.Right; v <= oracle.Withheld; v++ {
		t.Row(v.String(), d.tally.Of(v))
	}
	t.Row("accepted latest after the log-out was acknowledged, ms", float64(d.lag.get())/float64(time.Millisecond))
	if st := d.stale.get(); st > 0 {
		t.Row("staleness that a node stated at most, ms", float64(st)/float64(time.Millisecond))
		r.Set("load.stated_staleness_max_ms", float64(st)/float64(time.Millisecond))
	}
	t.Row("requests that found no user or token to act for", d.idle.Load())
	s.show(w, r, t)
	r.Set("load.violations", float64(d.tally.Wrong()))
	r.Set("load.answers", float64(d.tally.Total()))
	r.Set("load.accepted_after_max_ms", float64(d.lag.get())/float64(time.Millisecond))
	for _, e := range d.tally.Examples() {
		fmt.Fprintln(w, "WRONG:", e)
		r.Note("WRONG: " + e)
	}
}

func (s settings) show(w io.Writer, r *report.Result, t report.Table) {
	_ = t.Text(w) // to a terminal
	r.Table(t)
}
