package gossiptest

import (
	"fmt"
	"strings"
	"time"

	"rescind"
)

// Day varies the trouble with the seed: every kind of it occurs, and no day has
// all.
func Day(seed uint64) Options {
	opt := Options{
		Nodes:     3 + int(seed%4),
		Day:       5 * time.Second,
		Bound:     30 * time.Second,
		Loss:      float64(seed%6) / 10,
		Duplicate: 0.1,
		Delay:     time.Duration(seed%5) * 40 * time.Millisecond,
		Commit:    20 * time.Millisecond,
		Write:     0.01,
		Cut:       0.005,
		Crash:     0.002,
	}
	if seed%3 == 0 {
		opt.Rollback = 0.3
	}
	if seed%2 == 0 {
		opt.Skew = rescind.MaxClockSkew / 2
		opt.Step = 0.002
	}
	if seed%3 == 2 {
		opt.StepAll = 0.001
	}
	if seed%8 < 4 {
		opt.Believe = 3 * time.Second // longer than any jump
	}
	if seed%5 == 0 {
		opt.Skip = 0.01
	}
	if seed%7 == 0 {
		opt.Slow = 0.3
	}
	if seed%4 == 1 {
		opt.BeatViews = 2
	}
	if seed%3 == 1 {
		opt.Leave = 0.002
	}
	if seed%10 == 3 {
		opt.Store = true
	}
	if seed%9 == 4 {
		opt.Rogue = 0.01
	}
	switch {
	case seed%997 == 0:
		opt.Nodes, opt.Write = 50, 0.002
	case seed%97 == 0:
		opt.Nodes = 12
	}
	return opt
}

// Failure is a promise that was broken.
type Failure struct {
	Seed    uint64
	Options Options // the least trouble with which this seed still breaks one
	Err     error
	History []string // what happened, the latest last
}

func (f *Failure) Error() string {
	return fmt.Sprintf("seed %d: %v\n\twith %+v\n\tafter\n\t%s", f.Seed, f.Err, f.Options, strings.Join(f.History, "\n\t"))
}

func (f *Failure) Unwrap() error { return f.Err }

// Run runs a day. If a promise is broken, it takes away what trouble it can
// while one still is, and returns a *Failure that tells the shortest story.
func Run(seed uint64, opt Options) error {
	if New(seed, opt).Run() == nil {
		return nil
	}
	for _, without := range []func(*Options){
		func(o *Options) { o.Store = false },
		func(o *Options) { o.Rollback = 0 },
		func(o *Options) { o.Rogue = 0 },
		func(o *Options) { o.Crash = 0 },
		func(o *Options) { o.Leave = 0 },
		func(o *Options) { o.Step = 0 },
		func(o *Options) { o.StepAll = 0 },
		func(o *Options) { o.Skew = 0 },
		func(o *Options) { o.Skip = 0 },
		func(o *Options) { o.Slow = 0 },
		func(o *Options) { o.Cut = 0 },
		func(o *Options) { o.Duplicate = 0 },
		func(o *Options) { o.Loss = 0 },
		func(o *Options) { o.Delay = 0 },
		func(o *Options) { o.Commit = tick },
		func(o *Options) { o.Write /= 4 },
		func(o *Options) { o.Nodes = 3 },
		func(o *Options) { o.Nodes = 2 },
		func(o *Options) { o.Day /= 4 },
		func(o *Options) { o.Day /= 2 },
	} {
		less := opt
		without(&less)
		if New(seed, less).Run() != nil {
			opt = less
		}
	}
	s := New(seed, opt)
	s.history = []string{}
	err := s.Run()
	return &Failure{Seed: seed, Options: opt, Err: err, History: s.history[max(0, len(s.history)-maxHistory):]}
}

const maxHistory = 60

// note remembers what happens, if somebody wants to know.
func (s *Sim) note(format string, args ...any) {
	if s.history != nil {
		s.history = append(s.history, fmt.Sprintf("%8v  ", s.now)+fmt.Sprintf(format, args...))
	}
}
