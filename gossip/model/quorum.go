package model

import "fmt"

// A Rule is one that can be left out, to see that it is needed.
type Rule uint32

const (
	W3         Rule = 1 << iota // acknowledgements carry the incarnations known
	R2                          // so do echoes
	I1Majority                  // q witnesses, not q-1
	I1Second                    // and a second round with them
	I1Same                      // the second round begins when the first is complete, with the same ones
	I1Void                      // witnesses, too, are void if one knows a newer incarnation of another
	I1Durable                   // what they tell is durable before the folder is whole
	I2Higher                    // a witness notes only higher numbers, a newcomer takes one more than the highest
	I2Adopt                     // a newcomer adopts what its witnesses know
	I2Noted                     // durably, before the vector is told
	I3                          // who is not whole does not count
	AckDurable                  // acknowledge what is on disk
	FoundBind                   // bind to one founding, count once all are bound
	ListBoth                    // both majorities while a list is not in force
	ListOne                     // one change at a time
	ListSame                    // two lists of one number are a conflict
	ListHigher                  // nobody counts where one knows a higher list
	ListKnow                    // the old majority tells after having learned the new list
	ListCaught                  // the new majority holds what the old one tells
	ListSince                   // echoes count from when the reader knew the list, or saw it in force
	DropState                   // a newcomer takes the state of a witness
	DropVoid                    // "all hold it" is void if one is not the newest incarnation
	BackTell                    // whoever hears a folder that went back tells it
	BackCount                   // and does not count it
	BackCheck                   // nor does anybody, until a majority less one has heard its version and did not contradict
	BackAdopt                   // newcomers adopt that memory
)

// A List names members; Before is the list that it changes.
type List struct {
	Members        names
	Number, Before uint8
}

// Quorum is the system about who counts. Its zero values: nothing is replaced, the
// members are founded, the list is all names, every rule is kept.
type Quorum struct {
	Names, Gens int  // names, and processes that each has at most, one after the other
	Replaced    int  // processes replaced at most
	LiveOn      bool // a process that is replaced goes on
	Crashes     int  // at most
	Older       bool // of two incarnations with one number the older process's counts as higher
	Lists       []List
	Changed     names // these already know the last list, which is in force, and the others none but the first
	Ready       bool  // names that later lists add begin whole, as after one more change
	Founding    bool  // begins with empty folders
	Bootstrap   bool  // a majority suffices to found
	Drops       bool  // entries that all hold are dropped from vectors
	Back        bool  // one folder is copied and restored
	Remember    int   // how many others remember the later version of it, at least, before it is restored
	Without     Rule
	Named       bool // names are told apart: more states, for a check of Canon
}

func (q *Quorum) on(r Rule) bool       { return q.Without&r == 0 }
func (q *Quorum) name(i int) int       { return i / q.Gens }
func (q *Quorum) count() int           { return q.Names * q.Gens }
func (q *Quorum) majority(l uint8) int { return q.list(l).size()/2 + 1 }

func (q *Quorum) list(l uint8) names {
	if len(q.Lists) == 0 {
		return 1<<q.Names - 1
	}
	return q.Lists[l].Members
}

// number and before of a list.
func (q *Quorum) number(l uint8) uint8 {
	if len(q.Lists) == 0 {
		return 0
	}
	return q.Lists[l].Number
}

// incarnation is (number, origin); who comes later has a higher origin, or a lower.
func (q *Quorum) incarnation(i int, num uint8) uint8 {
	gen := i % q.Gens
	if q.Older {
		gen = 3 - gen
	}
	return num<<2 | uint8(gen)
}

// Start has all first processes whole and founded, or new.
func (q *Quorum) Start() State {
	var s State
	var all known
	for name := range q.Names {
		all = all.with(name, q.incarnation(name*q.Gens, 1))
	}
	for name := range q.Names {
		p := &s.P[name*q.Gens]
		p.Flags = exists
		switch {
		case q.Founding:
		case q.list(0).has(name) || q.Ready:
			p.Flags, p.Num, p.Knows = exists|whole, 1, all
		default: // a name that a later list adds
			p.Num, p.Knows = 1, known(0).with(name, q.incarnation(name*q.Gens, 1))
		}
	}
	if len(q.Lists) > 0 {
		for i := range s.P {
			s.P[i].Flags |= inForce
			if q.Changed.has(q.name(i)) {
				s.P[i].List = uint8(len(q.Lists) - 1)
			}
		}
		for i := range s.P {
			if !s.P[i].is(exists) {
				s.P[i].Flags = 0
			}
		}
		for i := range q.count() { // of names that are not members nobody knows
			for name := range q.Names {
				if !q.list(0).has(name) && q.name(i) != name && !q.Ready {
					s.P[i].Knows = s.P[i].Knows.with(name, 0)
				}
			}
		}
	}
	return s
}

// counts says whether p counts for others.
func (q *Quorum) counts(p *process) bool {
	return p.is(whole) && !p.is(unchecked) || !q.on(I3)
}

// speech is what process i says now of what it knows.
func (q *Quorum) speech(s *State, i int) known {
	return s.P[i].Knows | said | known(s.P[i].List)<<listShift
}

// A count looks for a set of processes that may be counted together.
type count struct {
	q       *Quorum
	s       *State
	speech  [Processes]known
	free    bool // of what its members know of each other
	list    uint8
	force   bool
	outside int // this name is not counted, and its majority is of others; -1 is none
	less    int
}

// void says that a and b cannot be in one set.
func (c *count) void(a, b int) bool {
	if c.free {
		return false
	}
	x, y := c.speech[a], c.speech[b]
	an, bn := c.q.name(a), c.q.name(b)
	return x.of(bn) > y.of(bn) || y.of(an) > x.of(an)
}

// lists says that what i said goes with the list of who counts.
func (c *count) lists(i int) bool {
	if len(c.q.Lists) == 0 {
		return true
	}
	l := c.speech[i].list()
	n, mine := c.q.number(l), c.q.number(c.list)
	if n > mine && c.q.on(ListHigher) {
		return false
	}
	return n != mine || l == c.list || !c.q.on(ListSame)
}

// enough says whether these names are the majorities that are needed.
func (c *count) enough(set names) bool {
	if !c.of(c.list, set) {
		return false
	}
	if len(c.q.Lists) == 0 || c.force || c.q.number(c.list) == 0 || !c.q.on(ListBoth) {
		return true
	}
	return c.of(c.q.Lists[c.list].Before, set)
}

func (c *count) of(list uint8, set names) bool {
	return (set & c.q.list(list)).size() >= c.q.majority(list)-c.less
}

// find adds processes, of each further name at most one, to a set.
func (c *count) find(from slots, name int, chosen slots, set names) bool {
	if c.enough(set) {
		return true
	}
	if name == c.q.Names {
		return false
	}
	if name != c.outside && !set.has(name) {
		for i := name * c.q.Gens; i < (name+1)*c.q.Gens; i++ {
			if from.has(i) && c.lists(i) && c.goes(i, chosen) && c.find(from, name+1, chosen.with(i), set|1<<name) {
				return true
			}
		}
	}
	return c.find(from, name+1, chosen, set)
}

func (c *count) goes(i int, chosen slots) bool {
	for j := range c.q.count() {
		if chosen.has(j) && c.void(i, j) {
			return false
		}
	}
	return true
}

// saidBy are the processes that said something, and what.
func (q *Quorum) saidBy(s *State, c *count) (from slots) {
	for i := range q.count() {
		if c.speech[i] = s.P[i].Said; c.speech[i] != 0 {
			from = from.with(i)
		}
	}
	return from
}

// settle lets follow what follows at once: who holds the record durably, and
// counts, acknowledges it; the origin counts. Neither has a reason to be later: it would
// know more, and be refused more often.
func (q *Quorum) settle(s *State) {
	if s.Acked || s.Origin == 0 {
		return
	}
	need := holds
	if !q.on(AckDurable) {
		need = received
	}
	o := int(s.Origin - 1)
	for i := range q.count() {
		p := &s.P[i]
		if i != o && p.Said == 0 && p.Flags&(need|holds) != 0 && p.is(exists) && q.counts(p) {
			p.Said = q.speech(s, i)
		}
	}
	if !s.P[o].is(exists | holds) {
		return
	}
	c := count{q: q, s: s, free: !q.on(W3), list: s.P[o].List, force: s.P[o].is(inForce), outside: q.name(o)}
	from := q.saidBy(s, &c)
	c.speech[o] = q.speech(s, o)
	var chosen slots
	var set names
	if q.counts(&s.P[o]) {
		chosen, set = chosen.with(o), 1<<q.name(o)
	}
	if c.find(from, 0, chosen, set) {
		s.Acked = true
		for i := range s.P {
			s.P[i].Said = 0
		}
	}
}

// Violated says that the reader may state a bound, or become ready, and lacks the record.
func (q *Quorum) Violated(s *State) bool {
	if s.Reader == 0 {
		return false
	}
	r := int(s.Reader - 1)
	p := &s.P[r]
	if !p.is(exists) || p.Flags&(holds|received) != 0 || !q.counts(p) {
		return false
	}
	c := count{q: q, s: s, free: !q.on(R2), list: p.List, force: p.is(inForce), outside: q.name(r)}
	from := q.saidBy(s, &c)
	c.speech[r] = q.speech(s, r)
	if q.on(BackCount) && s.Back != 0 && p.Heard.has(int(s.Back-1)) && s.P[s.Back-1].Num == s.Copy.Num {
		from &^= 1 << (s.Back - 1)
	}
	return c.find(from, 0, slots(0).with(r), 1<<q.name(r))
}

// label is the name of a process: A0 was replaced by A1.
func (q *Quorum) label(i int) string {
	return fmt.Sprintf("%c%d", 'A'+q.name(i), i%q.Gens)
}
