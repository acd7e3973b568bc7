package model

import "fmt"

// The kinds of steps of a Quorum. A is who moves, B whom it hears.
const (
	accept uint8 = iota
	deliver
	commit
	crash
	replace
	meet
	refuse
	confirm
	takeState
	becomeWhole
	sigma
	echo
	hearNew
	found
	bind
	hearBound
	founded
	propose
	learn
	catchUp
	force
	hearHolds
	drop
	save
	restore
	hearLater
	tellBack
	check
)

var kinds = [...]string{
	accept: "%[1]s accepts the record", deliver: "%[1]s gets the record", commit: "%[1]s commits",
	crash:       "%[1]s crashes, and starts again from its disk",
	replace:     "%[1]s is a new process on an empty folder",
	meet:        "%[2]s notes %[1]s and tells it what it has",
	refuse:      "%[2]s tells %[1]s that its number is not higher than what it knows",
	confirm:     "%[2]s confirms to %[1]s",
	takeState:   "%[1]s takes the whole state of %[2]s",
	becomeWhole: "%[1]s is whole",
	sigma:       "σ: %[1]s sends a heartbeat",
	echo:        "%[2]s echoes it without the record",
	hearNew:     "%[1]s hears that %[2]s is new",
	found:       "%[1]s states a founding",
	bind:        "%[1]s accepts the founding of %[2]s",
	hearBound:   "%[1]s hears that %[2]s has accepted the same founding",
	founded:     "%[1]s is whole: founded",
	propose:     "%[1]s is given list %[2]d",
	learn:       "%[1]s learns the list of %[2]s",
	catchUp:     "%[1]s holds what a majority of the list before told",
	force:       "%[1]s sees the list in force",
	hearHolds:   "%[1]s hears that %[2]s holds the record",
	drop:        "%[1]s drops the entry from its vector, as all hold it",
	save:        "the folder of %[1]s is copied",
	restore:     "%[1]s is started from the copy",
	hearLater:   "%[1]s hears a later version of the folder of %[2]s",
	check:       "%[2]s hears the version of %[1]s and does not contradict",
	tellBack:    "%[2]s tells %[1]s that its folder went back",
}

// A turn collects what can follow one state.
type turn struct {
	*Quorum
	s    State
	emit func(Step, State)
}

// done passes a state on.
func (t *turn) done(kind uint8, a, b int, s State) {
	t.settle(&s)
	t.emit(Step{kind, uint8(a), uint8(b)}, s)
}

// Next is all that can follow a state.
func (q *Quorum) Next(s State, emit func(Step, State)) {
	t := turn{q, s, emit}
	for i := range q.count() {
		if !s.P[i].is(exists) {
			continue
		}
		t.record(i)
		t.faults(i)
		t.reading(i)
		if !s.P[i].is(whole) {
			if q.Founding && s.P[i].Num == 0 {
				t.founding(i)
			}
			t.newcomer(i)
		}
		if len(q.Lists) > 1 {
			t.lists(i)
		}
		if q.Drops {
			t.drops(i)
		}
	}
	for name := range q.Names {
		t.replaced(name)
	}
	if q.Back {
		t.back()
	}
}

func (t *turn) record(i int) {
	s := t.s
	p := &s.P[i]
	switch {
	case s.Origin == 0:
		s.Origin, p.Flags = uint8(i+1), p.Flags|holds
		t.done(accept, i, i, s)
	case p.Flags&(holds|received) == 0 && int(s.Reader) != i+1: // a reader that gets it refuses it
		p.Flags |= holds
		if t.Crashes > 0 {
			p.Flags ^= holds | received
		}
		t.done(deliver, i, i, s)
	case p.is(received):
		p.Flags ^= holds | received
		t.done(commit, i, i, s)
	}
}

func (t *turn) faults(i int) {
	s := t.s
	p := &s.P[i]
	if int(s.Crashed) >= t.Crashes || int(s.Reader) == i+1 {
		return
	}
	s.Crashed++
	p.Flags &^= received
	t.forget(p)
	if !t.on(I2Noted) {
		p.Knows = t.Start().P[i].Knows
	}
	t.done(crash, i, i, s)
}

// forget is what a start does to what is not on disk.
func (t *turn) forget(p *process) {
	p.Told, p.Agreed, p.Olds, p.Caughts = 0, 0, 0, 0
	p.Flags &^= got | state | sawOld
}

// replaced lets a machine be replaced under its name.
func (t *turn) replaced(name int) {
	s := t.s
	if int(s.Replaced) >= t.Replaced {
		return
	}
	last := -1
	for i := name * t.Gens; i < (name+1)*t.Gens && (s.P[i].is(exists) || s.P[i].Flags != 0 || s.P[i].Num != 0); i++ {
		last = i
	}
	if last < 0 || last == (name+1)*t.Gens-1 {
		return
	}
	if !t.LiveOn {
		if int(s.Reader) == last+1 {
			return
		}
		s.P[last] = process{Num: max(1, s.P[last].Num), Said: s.P[last].Said, Olds: s.P[last].Olds}
	}
	s.Replaced++
	p := &s.P[last+1]
	p.Flags = exists
	if !t.Founding {
		t.take(p, last+1, 1)
	}
	t.done(replace, last+1, last+1, s)
}

// take gives i an incarnation.
func (t *turn) take(p *process, i int, num uint8) {
	p.Num = num
	p.Knows = p.Knows.with(t.name(i), t.incarnation(i, num))
}

// newcomer is I1 and I2.
func (t *turn) newcomer(i int) {
	for j := range t.count() {
		if t.name(i) != t.name(j) && t.s.P[j].is(exists) && t.counts(&t.s.P[j]) {
			t.meets(i, j)
			t.confirms(i, j)
		}
	}
	if t.Drops {
		t.takesState(i)
	}
	s := t.s
	p := &s.P[i]
	from := p.Agreed
	if !t.on(I1Second) {
		from = p.Told
	}
	if from == 0 || t.on(DropState) && t.Drops && !p.is(state) || !t.witnessed(&s, i, from, t.on(I1Void)) {
		return
	}
	if p.is(got) {
		p.Flags = p.Flags&^received | holds
		if !t.on(I1Durable) {
			p.Flags ^= holds | received
		}
	}
	p.Flags |= whole
	t.forget(p)
	if !t.on(I2Adopt) {
		p.Knows = known(0).with(t.name(i), p.Knows.of(t.name(i)))
	}
	t.done(becomeWhole, i, i, s)
}

// witnessed says whether those are witnesses enough for i.
func (t *turn) witnessed(s *State, i int, from slots, void bool) bool {
	p := &s.P[i]
	c := count{q: t.Quorum, s: s, free: !void, list: p.List, force: p.is(inForce), outside: t.name(i)}
	if !t.on(I1Majority) {
		c.less = 1
	}
	for j := range t.count() {
		its := t.incarnation(j, s.P[j].Num)
		if from.has(j) && void && p.Knows.of(t.name(j)) > its {
			from &^= 1 << j
		}
		c.speech[j] = t.speech(s, j)&^incarnations | p.Knows&incarnations.with(t.name(j), its)
	}
	return c.find(from, 0, 0, 0)
}

func (t *turn) meets(i, j int) {
	s := t.s
	p, w := &s.P[i], &s.P[j]
	if p.Told.has(j) || p.Bound != 0 || t.on(I1Same) && p.Agreed != 0 {
		return
	}
	if p.Num == 0 {
		t.take(p, i, 1)
	}
	mine, theirs := p.Knows.of(t.name(i)), w.Knows.of(t.name(i))
	if theirs != mine && theirs>>2 >= p.Num && t.on(I2Higher) {
		if num := theirs>>2 + 1; num <= 5 {
			t.take(p, i, num)
			t.forget(p)
			t.done(refuse, i, j, s)
		}
		return
	}
	if t.Quorum.number(w.List) > t.Quorum.number(p.List) && t.on(ListHigher) {
		return // it learns the list first
	}
	if mine > theirs || !t.on(I2Higher) {
		w.Knows = w.Knows.with(t.name(i), mine)
	}
	p.Told = p.Told.with(j)
	if w.is(holds) && !w.is(dropped) {
		p.Flags |= got
	}
	p.Knows = p.Knows.join(w.Knows, t.name(i)) // and it is the witness's own that it heard
	if t.on(BackAdopt) {
		p.Heard |= w.Heard & t.backOnly()
	}
	t.done(meet, i, j, s)
}

func (t *turn) confirms(i, j int) {
	s := t.s
	p := &s.P[i]
	if !t.on(I1Second) || !p.Told.has(j) || p.Agreed.has(j) {
		return
	}
	if t.witnessed(&s, i, p.Told, false) {
		p.Agreed = p.Agreed.with(j)
		t.done(confirm, i, j, s)
	}
}

func (t *turn) reading(i int) {
	s := t.s
	p := &s.P[i]
	if s.Reader == 0 {
		if s.Acked && p.Flags&(holds|received) == 0 {
			s.Reader = uint8(i + 1)
			t.done(sigma, i, i, s)
		}
		return
	}
	if p.Said == 0 && t.counts(p) && t.name(i) != t.name(int(s.Reader-1)) && (!p.is(holds) || p.is(dropped)) {
		p.Said = t.speech(&s, i)
		t.done(echo, int(s.Reader-1), i, s)
	}
}

// Tell says what a step is.
func (q *Quorum) Tell(s *State, step Step) string {
	if step.Kind == propose {
		return fmt.Sprintf(kinds[step.Kind], q.label(int(step.A)), int(step.B))
	}
	return fmt.Sprintf(kinds[step.Kind], q.label(int(step.A)), q.label(int(step.B)))
}
