// Package diagnosis says in words what is wrong with a node right now, what that
// means for who logs out, and what to do about it.
//
// It judges one node's own view, at one moment and against the counters of some
// minutes ago, so it knows what that node knows: of a partition each side
// reports the other. What it does not name may still be wrong elsewhere.
package diagnosis

import (
	"slices"
	"time"

	"rescind"
	"rescind/cluster"
)

// Problem is one thing that is wrong.
type Problem struct {
	Name     string // of the kind of problem, for programs; never changes
	Severity Severity
	What     string // what is the case
	Meaning  string // what that does to checks and revocations
	Do       string // what to do about it
}

// Severity orders problems. The zero value is none.
type Severity int

const (
	// Notice: promises hold; look at it in daylight.
	Notice Severity = iota + 1

	// Warning: promises hold, but less is left of what keeps them.
	Warning

	// Critical: checks or revocations are refused, or may be behind, now.
	Critical
)

// String returns "notice", "warning" or "critical".
func (s Severity) String() string {
	switch s {
	case Notice:
		return "notice"
	case Warning:
		return "warning"
	case Critical:
		return "critical"
	}
	return "none"
}

// View is what is judged.
type View struct {
	cluster.Status

	// Draining: the node has been asked to go.
	Draining bool

	// Before is what had been counted some minutes ago, so that what happened
	// long ago is no problem of now. The zero value judges all since the start.
	Before cluster.Counters

	// Certificates are what expires, and Now is against what it is held.
	Certificates []Certificate
	Now          time.Time

	// DroppedBefore is by carrier what it had not sent or lost by then.
	DroppedBefore map[string]uint64
}

const (
	// StaleAfter is the staleness, of a node or a member, at which something must be wrong: beats come
	// several times a second, so that it is usually below half a second.
	StaleAfter = 5 * time.Second

	// nearLimit is the share of the limit at which an operator should act.
	nearLimit = 0.8

	// skewAfter is the skew of a clock that deserves a look. At MaxClockSkew
	// the software stops to trust one.
	skewAfter = rescind.MaxClockSkew / 10

	// settled is when a node that was started should know its members.
	settled = 30 * time.Second

	// maxMembers bounds how many members get a problem of their own.
	maxMembers = 8
)

// Problems returns what is wrong, the worst first. Empty means nothing that this
// node knows of.
func Problems(v View) []Problem {
	var found []Problem
	for _, rule := range []func(View) []Problem{readiness, reach, crowd, members, clocks, limits, certificates, carriers, counted, uses, reasons} {
		found = append(found, rule(v)...)
	}
	slices.SortStableFunc(found, func(a, b Problem) int { return int(b.Severity) - int(a.Severity) })
	return found
}
