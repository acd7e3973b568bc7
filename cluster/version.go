package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"rescind"
	"rescind/gossip"
)

const (
	// maxVersions bounds the versions in one call of WaitFor.
	maxVersions = 8

	// maxWaiting bounds the callers that wait at the same time. Versions that
	// are held already do not count: whoever fills it with invented ones keeps
	// nobody from a check, and a node that is not behind answers all others.
	maxWaiting = 1000

	// maxWaitingEach bounds those of one caller, see rescind.ForCaller.
	maxWaitingEach = 32
)

// waiters counts the callers that wait for versions.
type waiters struct {
	mu  sync.Mutex
	all int
	by  map[string]int // those that are known by name
}

// enter reports whether one more may wait; leave then tells of its end.
func (w *waiters) enter(caller string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all >= maxWaiting || caller != "" && w.by[caller] >= maxWaitingEach {
		return false
	}
	w.all++
	if caller != "" {
		if w.by == nil {
			w.by = make(map[string]int)
		}
		w.by[caller]++
	}
	return true
}

func (w *waiters) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all
}

func (w *waiters) leave(caller string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all--
	if caller == "" {
		return
	}
	if w.by[caller]--; w.by[caller] <= 0 {
		delete(w.by, caller)
	}
}

// version is a revocation's place in its origin's stream.
type version struct {
	origin gossip.Origin
	at     gossip.Position
}

func (v version) String() string { return fmt.Sprintf("%s.%d.%d", v.origin, v.at.Epoch, v.at.Seq) }

// parseVersion reads what String writes, in that one form only.
func parseVersion(s string) (v version, ok bool) {
	origin, rest, _ := strings.Cut(s, ".")
	epoch, seq, _ := strings.Cut(rest, ".")
	o, err1 := strconv.ParseUint(origin, 16, 64)
	e, err2 := strconv.ParseUint(epoch, 10, 64)
	q, err3 := strconv.ParseUint(seq, 10, 64)
	v = version{gossip.Origin(o), gossip.Position{Epoch: e, Seq: q}}
	return v, errors.Join(err1, err2, err3) == nil && v.String() == s
}

// parseVersions reads a list. The error repeats nothing of it.
func parseVersions(list string) ([]version, error) {
	var versions []version
	for s := range strings.SplitSeq(list, ",") {
		v, ok := parseVersion(strings.Trim(s, " \t"))
		if !ok || len(versions) == maxVersions {
			return nil, &rescind.InvalidError{Field: "version", Problem: fmt.Sprintf("must be the version of a receipt, or up to %d separated by commas", maxVersions)}
		}
		versions = append(versions, v)
	}
	return versions, nil
}

// reach is how far each origin's stream is held here.
type reach struct {
	held   []gossip.Held // by origin
	passed chan struct{} // closed when there is a later reach
}

// publishReach wakes who waits, if anything has moved.
func (n *Node) publishReach(held []gossip.Held) {
	last := n.reach.Load()
	if last != nil && slices.Equal(last.held, held) {
		return
	}
	n.reach.Store(&reach{held: held, passed: make(chan struct{})})
	if last != nil {
		close(last.passed)
	}
}

func (r *reach) covers(versions []version) bool {
	for _, v := range versions {
		i, known := slices.BinarySearchFunc(r.held, v.origin, func(h gossip.Held, o gossip.Origin) int { return cmp.Compare(h.Origin, o) })
		if !known || !r.held[i].Covers(v.at) {
			return false
		}
	}
	return true
}

// WaitFor returns nil once this node holds every revocation up to version, the
// Receipt.Version of any node, so that a Check afterwards answers with what its
// caller knows already. Up to 8 versions may be given, separated by commas. It
// does not wait for what is held; otherwise until ctx ends, at most
// Config.VersionWait, and a few milliseconds longer than the revocation takes
// to arrive. An invented version costs that wait and nothing else.
//
// Errors: *rescind.InvalidError, rescind.ErrBehind, rescind.ErrBusy beyond 1,000
// waiting calls, or 32 of one caller (rescind.ForCaller), rescind.ErrNotReady while
// the disk is being loaded.
func (n *Node) WaitFor(ctx context.Context, version string) error {
	versions, err := parseVersions(version)
	if err != nil {
		return err
	}
	r := n.reach.Load()
	switch {
	case r == nil:
		return rescind.ErrNotReady
	case r.covers(versions):
		return nil
	}
	caller := rescind.CallerOf(ctx)
	if !n.waiting.enter(caller) {
		n.counters.waitsRefused.Add(1)
		return rescind.ErrBusy
	}
	defer n.waiting.leave(caller)
	n.counters.waits.Add(1)
	ctx, cancel := context.WithTimeout(ctx, n.policy.Load().VersionWait)
	defer cancel()
	for ; !r.covers(versions); r = n.reach.Load() {
		select {
		case <-r.passed:
		case <-n.alive.Done():
			cause := context.Cause(n.alive)
			if errors.Is(cause, rescind.ErrClosed) {
				return cause
			}
			return fmt.Errorf("%w: %w", rescind.ErrUnavailable, cause)
		case <-ctx.Done():
			n.counters.waitTimeouts.Add(1)
			return rescind.ErrBehind
		}
	}
	return nil
}
