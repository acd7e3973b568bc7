package model

// founding lets new folders found the cluster. In the simple form somebody who
// has heard all names to be new states who they are, and who finds itself is
// whole. With FoundBind it accepts the first such statement for ever, and is whole once
// it has heard all names accept it.
func (t *turn) founding(i int) {
	for j := range t.count() {
		if t.name(i) != t.name(j) && t.s.P[j].is(exists) {
			t.hears(i, j)
		}
		if t.s.P[j].Olds.has(i) {
			t.finds(i, j)
		}
		if i != j && t.s.P[i].Bound != 0 && t.s.P[j].Bound == t.s.P[i].Bound && !t.s.P[i].Caughts.has(j) {
			s := t.s
			s.P[i].Caughts = s.P[i].Caughts.with(j)
			t.done(hearBound, i, j, s)
		}
	}
	t.states(i)
	s := t.s
	p := &s.P[i]
	if p.Bound != 0 && t.suffice(t.namesOf(p.Caughts.with(i))) {
		t.whole(&s, i, int(p.Bound-1))
		t.done(founded, i, i, s)
	}
}

func (t *turn) hears(i, j int) {
	s := t.s
	p, o := &s.P[i], &s.P[j]
	if p.Bound != 0 || p.Olds != 0 {
		return
	}
	switch {
	case o.is(whole) && !p.is(sawOld):
		p.Flags |= sawOld
		t.done(hearNew, i, j, s)
	case !o.is(whole) && o.Num == 0 && !p.Told.has(j):
		for k := t.name(j) * t.Gens; k < (t.name(j)+1)*t.Gens; k++ {
			p.Told &^= 1 << k
		}
		p.Told = p.Told.with(j)
		t.done(hearNew, i, j, s)
	}
}

// states is the founder's: the first name of those it heard.
func (t *turn) states(i int) {
	s := t.s
	p := &s.P[i]
	all := t.namesOf(p.Told.with(i))
	if p.Olds != 0 || p.Bound != 0 || p.is(sawOld) || all&(1<<t.name(i)-1) != 0 || !t.suffice(all) {
		return
	}
	p.Olds = p.Told.with(i)
	p.Told = 0
	if t.on(FoundBind) {
		p.Bound = uint8(i + 1)
	} else {
		t.whole(&s, i, i)
	}
	t.done(found, i, i, s)
}

// finds lets i find itself in the founding of j.
func (t *turn) finds(i, j int) {
	s := t.s
	p := &s.P[i]
	if p.Bound != 0 || i == j {
		return
	}
	if t.on(FoundBind) {
		p.Bound, p.Told = uint8(j+1), 0
		t.done(bind, i, j, s)
		return
	}
	t.whole(&s, i, j)
	t.done(bind, i, j, s)
}

func (t *turn) whole(s *State, i, founder int) {
	p := &s.P[i]
	for j := range t.count() {
		if s.P[founder].Olds.has(j) {
			p.Knows = p.Knows.with(t.name(j), t.incarnation(j, 1))
		}
	}
	p.Flags |= whole
	p.Num, p.Told = 1, 0
}

func (t *turn) suffice(all names) bool {
	if t.Bootstrap {
		return all.size() >= t.Names/2+1
	}
	return all.size() == t.Names
}

func (t *turn) namesOf(set slots) (all names) {
	for i := range t.count() {
		if set.has(i) {
			all |= 1 << t.name(i)
		}
	}
	return all
}
