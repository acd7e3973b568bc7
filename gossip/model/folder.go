package model

// drops is the end of an entry of the vector: all hold what it covers.
func (t *turn) drops(i int) {
	if !t.s.P[i].is(holds) || t.s.P[i].is(dropped) {
		return
	}
	for j := range t.count() {
		s := t.s
		p, o := &s.P[i], &s.P[j]
		if i != j && o.is(exists|holds) && !p.Heard.has(j) {
			p.Heard = p.Heard.with(j)
			p.Knows = p.Knows.join(o.Knows, t.name(i))
			t.done(hearHolds, i, j, s)
		}
	}
	s := t.s
	p := &s.P[i]
	from := p.Heard
	for j := range t.count() {
		if t.on(DropVoid) && p.Knows.of(t.name(j)) > t.incarnation(j, s.P[j].Num) {
			from &^= 1 << j
		}
	}
	if t.namesOf(from.with(i)).size() == t.Names && p.is(whole) {
		p.Flags |= dropped
		p.Heard = 0
		t.done(drop, i, i, s)
	}
}

// takesState lets a newcomer take the whole state of one that told it of its vector.
func (t *turn) takesState(i int) {
	for j := range t.count() {
		s := t.s
		p, o := &s.P[i], &s.P[j]
		if p.Told.has(j) && !p.is(state) && o.is(exists|whole) {
			p.Flags |= state
			if o.is(holds) {
				p.Flags |= got
			}
			t.done(takeState, i, j, s)
		}
	}
}

// backOnly is the process whose folder was copied.
func (t *turn) backOnly() slots {
	if t.s.Saved == 0 {
		return 0
	}
	return 1 << (t.s.Saved - 1)
}

// back copies a folder, and starts its process from the copy.
func (t *turn) back() {
	for i := range t.count() {
		s := t.s
		if s.Saved == 0 && s.P[i].is(exists|whole) {
			s.Saved, s.Copy = uint8(i+1), s.P[i]
			s.Copy.Said = 0
			t.done(save, i, i, s)
		}
	}
	if t.s.Saved == 0 {
		return
	}
	b := int(t.s.Saved - 1)
	if t.s.Back == 0 {
		t.later(b)
		t.restores(b)
		return
	}
	for j := range t.count() {
		s := t.s
		p, o := &s.P[b], &s.P[j]
		if t.on(BackTell) && p.is(exists|whole) && o.is(exists) && o.Heard.has(b) && p.Num == s.Copy.Num {
			t.undo(&s, b)
			t.done(tellBack, b, j, s)
		} else if p.is(exists|whole|unchecked) && o.is(exists|whole) &&
			!o.Heard.has(b) && !p.Told.has(j) && t.name(j) != t.name(b) {
			if p.Told = p.Told.with(j); t.namesOf(p.Told).size() >= t.majority(0)-1 {
				p.Told, p.Flags = 0, p.Flags&^unchecked
			}
			t.done(check, b, j, s)
		}
	}
}

// later lets others hear the folder after it was copied.
func (t *turn) later(b int) {
	for j := range t.count() {
		s := t.s
		if j != b && s.P[b].is(exists) && s.P[j].is(exists) && !s.P[j].Heard.has(b) {
			s.P[j].Heard = s.P[j].Heard.with(b)
			t.done(hearLater, j, b, s)
		}
	}
}

func (t *turn) restores(b int) {
	s := t.s
	if !s.P[b].is(exists) || int(s.Reader) == b+1 {
		return
	}
	remember := 0
	for j := range t.count() {
		if t.name(j) != t.name(b) && s.P[j].Heard.has(b) {
			remember++
		}
	}
	if remember < t.Remember {
		return
	}
	acks := s.P[b].Said
	s.P[b] = s.Copy
	s.P[b].Said = acks
	t.forget(&s.P[b])
	if t.on(BackCheck) {
		s.P[b].Flags |= unchecked
	}
	s.Copy, s.Back = process{Num: s.Copy.Num}, s.Saved
	t.done(restore, b, b, s)
}

// undo makes the folder that went back a newcomer with a higher number. The others no
// longer hold its return against it.
func (t *turn) undo(s *State, b int) {
	p := &s.P[b]
	p.Flags &^= whole | unchecked
	t.forget(p)
	t.take(p, b, p.Num+1)
	for j := range t.count() {
		s.P[j].Told &^= 1 << b
		s.P[j].Agreed &^= 1 << b
	}
}
