package model

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
)

// A Step is one event. What its numbers mean is the system's affair.
type Step struct{ Kind, A, B uint8 }

// A System has states, events that lead from one to another, and states that must
// not be. All methods are deterministic and keep nothing.
type System[S comparable] interface {
	Start() S
	// Next calls emit with every step that can follow, and where it leads.
	Next(S, func(Step, S))
	// Violated says what is wrong with a state, or nothing.
	Violated(*S) bool
	// Canon calls each with states that differ from this one in names only. The first
	// stands for it; of two states that differ in names only, the first of one is
	// among those of the other.
	Canon(S, func(S) (more bool))
	// Tell says what a step is, in the state that it is taken in.
	Tell(*S, Step) string
}

// A Result is what an exploration found.
type Result struct {
	States   int      // that were visited
	Depth    int      // of the last one
	Whole    bool     // all states were visited
	Violated bool     // and the last one is wrong
	Trace    []string // the shortest way to it
}

func (r Result) String() string {
	switch {
	case r.Violated:
		trace := strings.Join(r.Trace, "\n  ")
		return fmt.Sprintf("VIOLATED after %d states, in %d steps:\n  %s", r.States, len(r.Trace), trace)
	case r.Whole:
		return fmt.Sprintf("holds in all %d states, up to %d steps deep", r.States, r.Depth)
	}
	return fmt.Sprintf("no violation in %d states, complete to %d steps", r.States, r.Depth-1)
}

// Explore visits the states of a system breadth first, at most that many.
func Explore[S comparable](sys System[S], most int) Result {
	v := visited{seed: maphash.MakeSeed()}
	var start S
	sys.Canon(sys.Start(), func(s S) bool { start = s; return false })
	v.add(maphash.Comparable(v.seed, start), 0)
	layer, first := []S{start}, uint32(0)
	for depth := 0; ; depth++ {
		var next []S
		for i, s := range layer {
			id, full := first+uint32(i), false
			if sys.Violated(&s) {
				trace := retrace(sys, &v, id)
				return Result{States: len(v.prints), Depth: depth, Violated: true, Trace: trace}
			}
			sys.Next(s, func(_ Step, t S) {
				sys.Canon(t, func(c S) bool { t = c; return false })
				full = full || len(v.prints) >= most
				if !full && v.add(maphash.Comparable(v.seed, t), id) {
					next = append(next, t)
				}
			})
			if full {
				return Result{States: len(v.prints), Depth: depth + 1}
			}
		}
		if len(next) == 0 {
			return Result{States: len(v.prints), Depth: depth, Whole: true}
		}
		first += uint32(len(layer))
		layer = next
	}
}

// retrace walks from the start to a state that was visited. Names are those of
// the start: the states on the way are not made canonical, only compared so.
func retrace[S comparable](sys System[S], v *visited, id uint32) []string {
	var way []uint64
	for ; id != 0; id = v.parents[id] {
		way = append(way, v.prints[id])
	}
	slices.Reverse(way)
	s, trace := sys.Start(), []string{}
	for _, want := range way {
		now, found := s, false
		sys.Next(now, func(step Step, t S) {
			if found {
				return
			}
			sys.Canon(t, func(c S) bool {
				found = maphash.Comparable(v.seed, c) == want
				return !found
			})
			if found {
				s, trace = t, append(trace, sys.Tell(&now, step))
			}
		})
		if !found {
			return append(trace, "(the way is lost: two states have the same print)")
		}
	}
	return trace
}

// visited remembers states by their prints, and from which each was reached
// first: 19 bytes a state.
type visited struct {
	seed    maphash.Seed
	prints  []uint64 // by number, in the order of visits
	parents []uint32
	table   []uint32 // number+1 of a state, open addressing; its length is a power of two
}

// add remembers a print unless it is known.
func (v *visited) add(print uint64, parent uint32) bool {
	if 10*len(v.prints) >= 7*len(v.table) {
		v.grow()
	}
	at := v.place(print)
	if v.table[at] != 0 {
		return false
	}
	v.prints, v.parents = append(v.prints, print), append(v.parents, parent)
	v.table[at] = uint32(len(v.prints))
	return true
}

// place finds where a print is, or where it belongs.
func (v *visited) place(print uint64) int {
	mask := len(v.table) - 1
	at := int(print) & mask
	for v.table[at] != 0 && v.prints[v.table[at]-1] != print {
		at = (at + 1) & mask
	}
	return at
}

func (v *visited) grow() {
	v.table = make([]uint32, max(1024, 2*len(v.table)))
	for i, print := range v.prints {
		v.table[v.place(print)] = uint32(i + 1)
	}
}
