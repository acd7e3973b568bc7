package model

import "slices"

// Canon puts members in the order of what can be said of them without names; those
// of whom the same is said in any order. Names that a list tells apart stay apart.
func (q *Quorum) Canon(s State, each func(State) bool) {
	if q.Named {
		each(s)
		return
	}
	var marks, order [5]uint64
	for name := range q.Names {
		marks[name] = q.sign(&s, name)
	}
	for name := range q.Names {
		order[name] = q.class(name)<<60 | mix(marks[name], q.relations(&s, name, &marks))>>8<<3 | uint64(name)
	}
	sorted := order[:q.Names]
	slices.Sort(sorted)
	var places [5]int
	q.permute(sorted, &places, 0, 0, func() bool { return each(q.renamed(&s, &places)) })
}

// permute goes through all orders of names that have equal marks.
func (q *Quorum) permute(sorted []uint64, places *[5]int, at int, used names, each func() bool) bool {
	if at == len(sorted) {
		return each()
	}
	for i, m := range sorted {
		if !used.has(i) && m>>3 == sorted[at]>>3 {
			places[m&7] = at
			if !q.permute(sorted, places, at+1, used|1<<i, each) {
				return false
			}
		}
	}
	return true
}

// class is the first name that is a member of the same lists; such names stand together.
func (q *Quorum) class(name int) uint64 {
	for first := range name {
		same := q.Changed.has(first) == q.Changed.has(name)
		for _, l := range q.Lists {
			same = same && l.Members.has(first) == l.Members.has(name)
		}
		if same {
			return uint64(first)
		}
	}
	return uint64(name)
}

// sign is what can be said of a name without naming others.
func (q *Quorum) sign(s *State, name int) uint64 {
	m := uint64(7)
	for i := name * q.Gens; i < (name+1)*q.Gens; i++ {
		p := &s.P[i]
		m = mix(m, uint64(p.Flags)<<32|uint64(p.Num)<<24|uint64(p.List)<<16)
		m = mix(m, uint64(p.Knows.of(name))<<8|uint64(p.Said.of(name)))
		m = mix(m, uint64(p.Said>>25))
		same := func(is bool) {
			m <<= 1
			if is {
				m |= 1
			}
			m = mix(m, 3)
		}
		same(int(s.Origin) == i+1)
		same(int(s.Reader) == i+1)
		same(int(s.Saved) == i+1)
		same(int(s.Back) == i+1)
	}
	return m
}

// relations is what others have to do with a name.
func (q *Quorum) relations(s *State, name int, marks *[5]uint64) (sum uint64) {
	for other := range q.Names {
		if other == name {
			continue
		}
		m := marks[other]
		for g := range q.Gens {
			i, j := name*q.Gens+g, other*q.Gens+g
			m = mix(m, q.relation(&s.P[i], other))
			m = mix(m, q.relation(&s.P[j], name))
		}
		sum += m
	}
	return sum
}

// relation is what a process says of a name.
func (q *Quorum) relation(p *process, name int) uint64 {
	of := func(set slots) uint64 { return uint64(set >> (name * q.Gens) & (1<<q.Gens - 1)) }
	m := uint64(p.Knows.of(name))<<8 | uint64(p.Said.of(name))
	for _, set := range [...]slots{p.Told, p.Agreed, p.Olds, p.Caughts, p.Heard} {
		m = m<<3 | of(set)
	}
	return m
}

// renamed is the state with each name in another place.
func (q *Quorum) renamed(s *State, places *[5]int) State {
	t := *s
	at := func(i int) int { return places[i/q.Gens]*q.Gens + i%q.Gens }
	one := func(i uint8) uint8 {
		if i == 0 {
			return 0
		}
		return uint8(at(int(i-1)) + 1)
	}
	for i := range q.count() {
		t.P[at(i)] = q.moved(s.P[i], places, one)
	}
	t.Origin, t.Reader, t.Saved, t.Back = one(s.Origin), one(s.Reader), one(s.Saved), one(s.Back)
	t.Copy = q.moved(s.Copy, places, one)
	return t
}

func (q *Quorum) moved(p process, places *[5]int, one func(uint8) uint8) process {
	p.Knows, p.Said = q.movedKnown(p.Knows, places), q.movedKnown(p.Said, places)
	for _, set := range [...]*slots{&p.Told, &p.Agreed, &p.Olds, &p.Caughts, &p.Heard} {
		var moved slots
		for name := range q.Names {
			moved |= *set >> (name * q.Gens) & (1<<q.Gens - 1) << (places[name] * q.Gens)
		}
		*set = moved
	}
	p.Bound = one(p.Bound)
	return p
}

func (q *Quorum) movedKnown(k known, places *[5]int) known {
	moved := k &^ incarnations
	for name := range q.Names {
		moved = moved.with(places[name], k.of(name))
	}
	return moved
}

func mix(a, b uint64) uint64 {
	a ^= b + 0x9e3779b97f4a7c15 + a<<6 + a>>2
	a = (a ^ a>>30) * 0xbf58476d1ce4e5b9
	a = (a ^ a>>27) * 0x94d049bb133111eb
	return a ^ a>>31
}
