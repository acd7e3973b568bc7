package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"rescind/bench/oracle"
	"rescind/bench/pace"
)

// The operations of the mix.
const (
	opCheck      = "check"
	opLogin      = "login"
	opRefresh    = "refresh"
	opLogout     = "logout"
	opEverywhere = "everywhere" // log out everywhere
)

var ops = []string{opCheck, opLogin, opRefresh, opLogout, opEverywhere}

// driver puts load on a site and judges every answer.
type driver struct {
	site   *loadSite
	window time.Duration
	mix    map[string]float64 // shares
	users  []*user
	clock  oracle.Clock
	book   *tokenBook

	tally oracle.Tally
	lag   lagOf
	stale lagOf        // what the nodes stated at most
	idle  atomic.Int64 // operations that found nobody to act for

	mu     sync.Mutex                         // guards the fields below
	times  map[string]*hdrhistogram.Histogram // by operation, or path of a check: us from when it was due
	failed map[string]int
	first  error // of the failures
}

func newDriver(s *loadSite, window time.Duration, mix map[string]float64, users int) *driver {
	d := &driver{
		site: s, window: window, mix: mix, clock: oracle.NewClock(), book: newTokenBook(),
		times: map[string]*hdrhistogram.Histogram{}, failed: map[string]int{},
	}
	for i := range users {
		d.users = append(d.users, &user{name: fmt.Sprint("user-", i), everywhere: new(oracle.End)})
	}
	return d
}

// maxDevices is how many devices a user is logged in on at the most.
const maxDevices = 3

// logInAll gives every user a session, before the load begins.
func (d *driver) logInAll(ctx context.Context) error {
	errs := make([]error, len(d.users))
	var calls sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i, u := range d.users {
		slots <- struct{}{}
		calls.Go(func() {
			defer func() { <-slots }()
			u.mu.Lock()
			defer u.mu.Unlock()
			errs[i] = d.logIn(ctx, u, i%len(d.site.urls))
		})
	}
	calls.Wait()
	return errors.Join(errs...)
}

// run sends n requests at a rate, each when it is due, whatever the answers take.
func (d *driver) run(ctx context.Context, rate, n int) (took time.Duration, err error) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	var watch sync.WaitGroup
	defer watch.Wait()
	watch.Go(func() { d.watchStaleness(watching) })
	began := time.Now()
	_, err = pace.Calls(ctx, rate, n, func(_ int, due time.Time) { d.one(ctx, due) })
	stop()
	return time.Since(began), err
}

func (d *driver) watchStaleness(ctx context.Context) {
	each := time.NewTicker(20 * time.Millisecond)
	defer each.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-each.C:
			if s, known := d.site.staleness(); known {
				d.stale.see(s)
			}
		}
	}
}

// sweep asks every node, by every face, about every token, once all of it is older
// than the window.
func (d *driver) sweep(ctx context.Context) {
	pace.Pause(ctx, d.window+50*time.Millisecond)
	var calls sync.WaitGroup
	defer calls.Wait()
	slots := make(chan struct{}, 16)
	for _, t := range d.book.all() {
		for node := range d.site.urls {
			if ctx.Err() != nil {
				return
			}
			slots <- struct{}{}
			calls.Go(func() {
				d.check(ctx, node, d.site.faces[rand.N(len(d.site.faces))], t)
				<-slots
			})
		}
	}
}

func (d *driver) pickOp() string {
	x := rand.Float64()
	for _, op := range ops {
		if x -= d.mix[op]; x < 0 {
			return op
		}
	}
	return opCheck
}

// one does one operation that was due then.
func (d *driver) one(ctx context.Context, due time.Time) {
	op, node := d.pickOp(), rand.N(len(d.site.urls))
	if op == opCheck {
		t := d.book.pick()
		if t == nil {
			d.idle.Add(1)
			return
		}
		face := d.site.faces[rand.N(len(d.site.faces))]
		d.took(face, due, d.check(ctx, node, face, t))
		return
	}
	u := d.free(op)
	if u == nil {
		d.idle.Add(1)
		return
	}
	defer u.mu.Unlock()
	var err error
	var ended []*issued
	switch op {
	case opLogin:
		node = d.afresh(u, node)
		err = d.logIn(ctx, u, node)
	case opRefresh:
		err = d.refresh(ctx, u.sessions[rand.N(len(u.sessions))], node)
	case opLogout:
		ended, err = d.logOut(ctx, u, node)
	case opEverywhere:
		ended, err = d.logOutEverywhere(ctx, u, node)
	}
	d.took(op, due, err)
	for i := range d.site.urls { // at once, which is when a node may be late
		if len(ended) > 0 {
			d.check(ctx, i, d.site.faces[rand.N(len(d.site.faces))], ended[rand.N(len(ended))])
		}
	}
}

// afresh prepares u, which is locked, for a login, and returns the node for it.
// After a log-out everywhere that is the one that logged out, whose issuer dates
// the login later than that. An issuer here knows nothing of it, and its clock may
// be behind: there it is somebody else who logs in.
func (d *driver) afresh(u *user, node int) int {
	if !u.everywhere.Called() {
		return node
	}
	u.everywhere = new(oracle.End)
	if d.site.nodes == nil {
		u.name += "+"
	}
	return u.home
}

// free returns a user that op makes sense for, locked; nil if none is found soon.
func (d *driver) free(op string) *user {
	for range 20 {
		u := d.users[rand.N(len(d.users))]
		if !u.mu.TryLock() {
			continue
		}
		if n := len(u.sessions); op == opLogin && n < maxDevices || op != opLogin && n > 0 {
			return u
		}
		u.mu.Unlock()
	}
	return nil
}

// longest is what an operation that failed counts as.
const longest = time.Minute

// newLatencies is for microseconds up to longest.
func newLatencies() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longest.Microseconds(), 3)
}

// took records how long an operation took since it was due.
func (d *driver) took(what string, due time.Time, err error) {
	took := time.Since(due)
	d.mu.Lock()
	defer d.mu.Unlock()
	h := d.times[what]
	if h == nil {
		h = newLatencies()
		d.times[what] = h
	}
	if err != nil {
		took = longest // it never came: drawn as such, and not left out
	}
	_ = h.RecordValue(min(max(took.Microseconds(), 1), longest.Microseconds()))
	if err != nil {
		d.failed[what]++
		if d.first == nil {
			d.first = fmt.Errorf("%s: %w", what, err)
		}
	}
}
