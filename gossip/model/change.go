package model

// lists lets the list of members change. Who has caught up stays so, and who lacked
// the record when it learned a list may have said so at once, in a message that comes
// at any time: so what was heard need not be kept, only what was so.
func (t *turn) lists(i int) {
	for l := range t.Lists {
		t.proposes(i, uint8(l))
		t.learns(i, uint8(l))
	}
	t.catches(i)
	t.forces(i)
}

// pending says that p knows a list that is not in force.
func (t *turn) pending(p *process) bool {
	return t.Quorum.number(p.List) > 0 && !p.is(inForce)
}

func (t *turn) proposes(i int, l uint8) {
	s := t.s
	p := &s.P[i]
	if !p.is(whole) || t.Quorum.number(l) != t.Quorum.number(p.List)+1 || t.Lists[l].Before != p.List {
		return
	}
	if t.on(ListOne) && t.pending(p) {
		return
	}
	t.takes(p, l)
	t.since(&s, i)
	t.done(propose, i, int(l), s)
}

// since lets a reader begin anew: what was echoed before it knew counts no longer.
func (t *turn) since(s *State, i int) {
	if int(s.Reader) == i+1 && t.on(ListSince) {
		for j := range s.P {
			s.P[j].Said = 0
		}
	}
}

// takes gives p a list that is not in force.
func (t *turn) takes(p *process, l uint8) {
	p.List = l
	p.Flags &^= inForce | caught | lacked
	if !p.is(holds) {
		p.Flags |= lacked
	}
}

// learns lets i learn a list, and that it is in force, from whoever knows.
func (t *turn) learns(i int, l uint8) {
	s := t.s
	p := &s.P[i]
	mine, its := t.Quorum.number(p.List), t.Quorum.number(l)
	from, sure := -1, -1
	for j := range t.count() {
		if o := &s.P[j]; o.is(exists) && o.List == l && its > 0 && i != j {
			from = j
			if o.is(inForce) {
				sure = j
			}
		}
	}
	if from >= 0 && (its > mine || its == mine && p.List != l && !t.on(ListSame)) {
		t.takes(p, l)
		t.since(&s, i)
		t.done(learn, i, from, s)
	} else if sure >= 0 && p.List == l && t.pending(p) {
		p.Flags |= inForce
		t.since(&s, i)
		t.done(learn, i, sure, s)
	}
}

// catches lets a member of the new list hold what a majority of the old list says.
func (t *turn) catches(i int) {
	s := t.s
	p := &s.P[i]
	if !t.pending(p) || p.is(caught) || !t.counts(p) {
		return
	}
	var from slots
	for j := range t.count() {
		o := &s.P[j]
		knows := o.List == p.List || !t.on(ListKnow)
		if knows && t.counts(o) && (p.is(holds) || o.is(lacked) || !t.on(ListKnow) && !o.is(holds)) {
			from = from.with(j)
		}
	}
	if t.on(ListCaught) && !t.majorityOf(&s, from, t.Lists[p.List].Before) {
		return
	}
	p.Flags |= caught
	t.done(catchUp, i, i, s)
}

func (t *turn) majorityOf(s *State, from slots, list uint8) bool {
	c := count{q: t.Quorum, s: s, free: true}
	return c.of(list, t.namesOf(from))
}

// forces lets i see that a majority of the new list has caught up.
func (t *turn) forces(i int) {
	s := t.s
	p := &s.P[i]
	if !t.pending(p) {
		return
	}
	var from slots
	for j := range t.count() {
		if o := &s.P[j]; o.List == p.List && o.is(caught) && t.counts(o) {
			from = from.with(j)
		}
	}
	if t.majorityOf(&s, from, p.List) {
		p.Flags |= inForce
		t.since(&s, i)
		t.done(force, i, i, s)
	}
}
