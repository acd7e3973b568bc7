package compare

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"rescind/bench/apitoken"
	"rescind/bench/process"
)

// compareRound is what one round found of one subject.
type compareRound struct {
	ns       float64 // of one check, one caller: the median
	p50, p99 float64 // ns, one caller, each timed by itself
	perCore  float64 // checks for each second of processor time, of the API and of what it asks
	wrong    int     // answers that were not what they must be
}

// inTurn is the tokens that are checked, one after the other, and what the
// answers must be. One in hundred is revoked.
type inTurn struct {
	tokens  []*apitoken.Token
	revoked []bool
}

func (c *comparison) newInTurn() (*inTurn, error) {
	live, err := c.pool.Fresh(c.tokens)
	if err != nil {
		return nil, err
	}
	t := &inTurn{live, make([]bool, len(live))}
	for i := 0; i < len(live); i += 100 {
		if t.tokens[i], err = c.pool.Sign(apitoken.ID(uint64(i))); err != nil {
			return nil, err
		}
		t.revoked[i] = true
	}
	return t, nil
}

// question is a check of a token, whole or of revocation alone. It reports
// whether the token is refused.
type question func(ctx context.Context, t *apitoken.Token) (refused bool, err error)

func wholeCheck(a api) question {
	return func(ctx context.Context, t *apitoken.Token) (bool, error) {
		err := a.check(ctx, t)
		if errors.Is(err, errRevokedToken) {
			return true, nil
		}
		return false, err
	}
}

// measure takes rounds in which all subjects come one after the other, so that
// a noisy moment hits all.
func (c *comparison) measure(ctx context.Context) error {
	turn, err := c.newInTurn()
	if err != nil {
		return err
	}
	for round := range c.rounds + 1 { // the first warms up
		for _, i := range rand.Perm(len(c.subjects)) {
			s := c.subjects[i]
			whole, err := c.measureOne(ctx, s, wholeCheck(s.apis[0]), turn)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			var alone []compareRound
			if !s.wholeOnly {
				a, err := c.measureOne(ctx, s, s.apis[0].revoked, turn)
				if err == nil {
					alone = append(alone, a)
				} else if !errors.Is(err, errNotApart) {
					return fmt.Errorf("%s: %w", s.name, err)
				}
			}
			if round > 0 {
				s.whole, s.alone = append(s.whole, whole), append(s.alone, alone...)
			}
		}
		fmt.Fprintf(os.Stderr, "compare: round %d of %d\n", round, c.rounds)
	}
	return nil
}

func (c *comparison) measureOne(ctx context.Context, s *contender, ask question, turn *inTurn) (r compareRound, err error) {
	runtime.GC() // no subject pays for another's garbage
	var wrong atomic.Int64
	one := func(i int) error {
		i %= len(turn.tokens)
		refused, err := ask(ctx, turn.tokens[i])
		if refused != turn.revoked[i] {
			wrong.Add(1)
		}
		return err
	}
	if r.ns, err = typicalOf(one, c.slice); err != nil {
		return r, err
	}
	if r.p50, r.p99, err = checkPercentiles(one, c.slice); err != nil {
		return r, err
	}
	r.perCore, err = perCore(one, c.callers, c.slice, s.cpu)
	r.wrong = int(wrong.Load())
	return r, err
}

// batch is how many calls are timed at once where reading the clock would count:
// where one takes less than quickCall.
const (
	batch     = 16
	quickCall = 2 * time.Microsecond
)

// typicalOf calls one for d and returns the time of a call in nanoseconds: the
// median of all, or of batches, which what else runs on the machine moves least.
func typicalOf(one func(i int) error, d time.Duration) (float64, error) {
	h := hdrhistogram.New(1, int64(time.Hour), 4)
	size := batch
	for start, n := time.Now(), 0; time.Since(start) < d; {
		began := time.Now()
		for range size {
			if err := one(n); err != nil {
				return 0, err
			}
			n++
		}
		took := time.Since(began)
		if n == batch && took > batch*quickCall {
			size = 1 // the first batch only tells which it is
			continue
		}
		if err := h.RecordValue(int64(took)); err != nil {
			return 0, err // only above an hour
		}
	}
	if h.TotalCount() == 0 {
		return 0, errors.New("one call takes longer than all of them may")
	}
	return float64(h.ValueAtPercentile(50)) / float64(size), nil
}

// checkPercentiles times each call, in nanoseconds; reading the clock is part of it.
func checkPercentiles(one func(i int) error, d time.Duration) (p50, p99 float64, err error) {
	h := hdrhistogram.New(1, int64(time.Minute), 3)
	for start, i := time.Now(), 0; time.Since(start) < d; i++ {
		began := time.Now()
		if err := one(i); err != nil {
			return 0, 0, err
		}
		if err := h.RecordValue(int64(time.Since(began))); err != nil {
			return 0, 0, err // only above a minute
		}
	}
	return float64(h.ValueAtPercentile(50)), float64(h.ValueAtPercentile(99)), nil
}

// perCore returns how many calls there are for each second that a processor
// works for them, here and in other processes. Unlike calls per second that
// does not fall when the machine has other work to do.
func perCore(one func(i int) error, callers int, d time.Duration, others []int) (float64, error) {
	before, err := working(others)
	if err != nil {
		return 0, err
	}
	var calls atomic.Int64
	errs := make([]error, callers)
	var running sync.WaitGroup
	start := time.Now()
	for c := range callers {
		running.Go(func() {
			n := 0
			for time.Since(start) < d && errs[c] == nil {
				for range batch {
					if errs[c] = one(c*61 + n); errs[c] != nil {
						break
					}
					n++
				}
			}
			calls.Add(int64(n))
		})
	}
	running.Wait()
	after, err := working(others)
	if err := errors.Join(append(errs, err)...); err != nil {
		return 0, err
	}
	return float64(calls.Load()) / (after - before).Seconds(), nil
}

// working returns the processor time of this process, without its children, and
// of others with theirs.
func working(others []int) (time.Duration, error) {
	own, err := process.Own()
	if err != nil {
		return 0, err
	}
	theirs, err := process.CPU(others...)
	return own + theirs, err
}
