package model

import "fmt"

// A Coverage rule is one of a Streams that can be left out.
type Coverage uint8

const (
	W1         Coverage = 1 << iota // acknowledge a based position that is stored in that commit
	W2                              // entries never go back when an epoch begins whose base is missing
	W2Restart                       // nor when oneself starts again
	R1                              // each part of a vector is as old as the heartbeat that it echoes
	StatedDisk                      // acknowledge, and state, what is on disk
	BaseEnd                         // an epoch has its base once all up to the end of the one before is held
)

// A place is how much of an origin's stream is held: all of earlier epochs, and of this
// one up to Number. Epoch zero is nothing.
type place struct{ Epoch, Number uint8 }

func (p place) covers(o place) bool {
	return p.Epoch > o.Epoch || p.Epoch == o.Epoch && p.Number >= o.Number
}

// The records that a Streams has, in their places. The first three are the
// origin's, before and after it has started again; the last is another member's.
var places = [...]struct {
	stream int
	place
}{{0, place{1, 1}}, {0, place{1, 2}}, {0, place{2, 1}}, {1, place{1, 1}}}

// A holder is a member: what it has in memory, and on disk.
type holder struct {
	Records, Disk uint8    // records, as bits
	Mem, Stored   [2]place // the vector; every entry is based
	Next          place    // of an epoch of the origin whose base is missing
	Stated        [2]bool  // this part of the vector was echoed after σ, without the record
	Early         [2]bool  // it was echoed before σ
	Acked         uint8    // records acknowledged
}

// A StreamState is all that is so at one moment. Member 0 is the origin, member 1
// the other origin.
type StreamState struct {
	M              [3]holder
	Epoch, Count   uint8 // of the origin now
	End            uint8 // of its first epoch, as it found it on its disk
	Done           uint8 // records that a majority has acknowledged
	Reader, Record uint8 // σ: who reads, and which record is looked for; 0 is none
	Crashes        uint8
	Silent         bool // the origin is down for good
}

// Streams is the system about what is covered: three members, records of two origins, one
// of which starts again. Nobody is replaced; who counts is the affair of [Quorum].
type Streams struct {
	Crashes int // of each kind, in all
	Without Coverage
}

func (m *Streams) on(c Coverage) bool { return m.Without&c == 0 }

// Start has the origin in its first epoch, with nothing.
func (m *Streams) Start() StreamState {
	var s StreamState
	s.Epoch = 1
	for i := range s.M {
		s.M[i].Mem = [2]place{{1, 0}, {1, 0}}
		s.M[i].Stored = s.M[i].Mem
	}
	return s
}

// Canon is the state: the members differ.
func (m *Streams) Canon(s StreamState, each func(StreamState) bool) { each(s) }

// The kinds of steps of a Streams.
const (
	propose1 uint8 = iota
	batch
	epoch
	stateOf
	sync
	fail
	restart
	reads
	part
	before
	ackOf
)

var streamKinds = [...]string{
	propose1: "%[1]s accepts record %[2]s", batch: "%[1]s receives record %[2]s",
	epoch: "%[1]s hears of the origin's second epoch", stateOf: "%[1]s takes the state of %[3]s",
	sync: "%[1]s commits", fail: "%[1]s crashes, and starts again from its disk",
	restart: "the origin crashes, and starts again in its second epoch",
	reads:   "σ: %[1]s sends a heartbeat; record %[2]s is what it lacks",
	part:    "%[3]s echoes it with the part of its vector about stream %[2]s",
	before:  "%[3]s echoes an earlier heartbeat of %[1]s with the part about stream %[2]s",
	ackOf:   "%[1]s acknowledges record %[2]s",
}

// Tell says what a step is.
func (m *Streams) Tell(_ *StreamState, step Step) string {
	about, other := step.B, step.B
	if step.Kind == part || step.Kind == before {
		about, other = step.B%2, step.B/2
	}
	member := func(i uint8) string { return string("ABC"[i%3]) }
	if step.Kind == restart {
		return streamKinds[restart]
	}
	return fmt.Sprintf(streamKinds[step.Kind], member(step.A), fmt.Sprint(about+1), member(other))
}

type flow struct {
	*Streams
	s    StreamState
	emit func(Step, StreamState)
}

func (f *flow) done(kind uint8, a, b int, s StreamState) {
	f.count(&s)
	f.emit(Step{kind, uint8(a), uint8(b)}, s)
}

// Next is all that can follow a state.
func (m *Streams) Next(s StreamState, emit func(Step, StreamState)) {
	f := flow{m, s, emit}
	f.accepts()
	for i := range s.M {
		f.receives(i)
		f.commits(i)
		f.acks(i)
		f.reads(i)
	}
	f.restarts()
}

// origin of a record.
func origin(r int) int { return places[r].stream }

func (f *flow) accepts() {
	s := f.s
	r := map[place]int{{1, 0}: 0, {1, 1}: 1, {2, 0}: 2}[place{s.Epoch, s.Count}]
	if s.Epoch == 1 && s.Count < 2 || s.Epoch == 2 && s.Count < 1 {
		s.Count++
		f.take(&s.M[0], r)
		f.done(propose1, 0, r, s)
	}
	s = f.s
	if s.M[1].Mem[1].Number == 0 {
		f.take(&s.M[1], 3)
		f.done(propose1, 1, 3, s)
	}
}

// take lets a member have a record in memory, and its vector if it follows.
func (f *flow) take(h *holder, r int) {
	p := places[r]
	h.Records |= 1 << r
	at := &h.Mem[p.stream]
	if at.Epoch == p.Epoch && at.Number+1 == p.Number {
		at.Number++
	}
	if h.Next.Epoch == p.Epoch && p.stream == 0 && h.Next.Number+1 == p.Number {
		h.Next.Number++
	}
}

// receives lets a member hear of records, of an epoch, and get another's state.
func (f *flow) receives(i int) {
	for r := range places {
		s := f.s
		h := &s.M[i]
		known := places[r].Epoch == 1 || h.Mem[0].Epoch == 2 || h.Next.Epoch == 2
		if i != origin(r) && f.sent(r) && h.Records>>r&1 == 0 && known {
			f.take(h, r)
			f.based(&s, h)
			f.done(batch, i, r, s)
		}
	}
	s := f.s
	h := &s.M[i]
	if i != 0 && s.Epoch == 2 && h.Mem[0].Epoch == 1 && h.Next.Epoch == 0 {
		h.Next = place{2, 0}
		if f.based(&s, h); h.Next.Epoch != 0 && !f.on(W2) {
			h.Mem[0] = place{}
		}
		f.done(epoch, i, i, s)
	}
	for j := range s.M {
		f.transfers(i, j)
	}
}

// sent says that a record was sent once. It may come at any time after.
func (f *flow) sent(r int) bool {
	switch {
	case r == 3:
		return f.s.M[1].Mem[1].Number > 0
	case r == 2:
		return f.s.Epoch == 2 && f.s.Count > 0
	case f.s.Epoch == 1:
		return int(f.s.Count) > r
	}
	return int(f.s.End) > r // what was lost in the crash comes from nobody, which is enough to explore
}

// based lets the vector go over to the next epoch once its base is held.
func (f *flow) based(s *StreamState, h *holder) {
	if h.Next.Epoch == 0 {
		return
	}
	if h.Mem[0].Epoch == 1 && h.Mem[0].Number >= s.End || !f.on(BaseEnd) {
		h.Mem[0], h.Next = h.Next, place{}
	}
}

// transfers is the state of a donor, in one piece: all that it has, and its vector.
func (f *flow) transfers(i, j int) {
	s := f.s
	h, d := &s.M[i], &s.M[j]
	if i == j || i == 0 || s.Record != 0 && int(s.Reader) == i+1 && d.Records>>(s.Record-1)&1 != 0 {
		return
	}
	h.Records |= d.Records
	for stream := range h.Mem {
		if d.Mem[stream].covers(h.Mem[stream]) {
			h.Mem[stream] = d.Mem[stream]
		}
	}
	if h.Mem[0].covers(h.Next) {
		h.Next = place{}
	}
	if s != f.s {
		f.done(stateOf, i, j, s)
	}
}

func (f *flow) commits(i int) {
	s := f.s
	h := &s.M[i]
	h.Disk = h.Records
	h.Stored = h.Mem
	if s != f.s {
		f.done(sync, i, i, s)
	}
	if s = f.s; int(s.Crashes) < f.Crashes && i != 0 && int(s.Reader) != i+1 {
		h = &s.M[i]
		h.Records, h.Mem, h.Next = h.Disk, h.Stored, place{}
		if !f.on(W2Restart) && h.Mem[0].Epoch == 1 && s.Epoch == 2 {
			h.Mem[0] = place{}
		}
		if s != f.s {
			s.Crashes++
			f.done(fail, i, i, s)
		}
	}
}

// restarts begins the origin's second epoch: it says where the first one ended on its disk.
func (f *flow) restarts() {
	s := f.s
	if h := &s.M[0]; s.Epoch == 1 && s.Reader != 1 {
		h.Records, h.Mem = h.Disk, h.Stored
		s.End = h.Mem[0].Number
		h.Mem[0] = place{2, 0}
		h.Stored[0] = h.Mem[0]
		s.Epoch, s.Count = 2, 0
		f.done(restart, 0, 0, s)
	}
}

// acks are sent once a position is stored, and may be lost.
func (f *flow) acks(i int) {
	for r := range places {
		s := f.s
		h := &s.M[i]
		if i == origin(r) || h.Acked>>r&1 != 0 || s.Done>>r&1 != 0 {
			continue
		}
		at := h.Stored[origin(r)]
		if !f.on(StatedDisk) {
			at = h.Mem[origin(r)]
		}
		ok := at.covers(places[r].place)
		if !f.on(W1) { // also where the base of its epoch is missing, so that no entry covers it
			ok = ok || h.Disk>>r&1 != 0 && origin(r) == 0 && h.Next.covers(places[r].place)
		}
		if ok {
			h.Acked |= 1 << r
			f.done(ackOf, i, r, s)
		}
	}
}

// count lets the origins count: a majority of three is one other.
func (f *flow) count(s *StreamState) {
	for r := range places {
		o := &s.M[origin(r)]
		if s.Done>>r&1 != 0 || o.Disk>>r&1 == 0 {
			continue
		}
		if origin(r) == 0 && s.Epoch != places[r].Epoch {
			continue // who waited for it is gone
		}
		for i := range s.M {
			if i != origin(r) && s.M[i].Acked>>r&1 != 0 {
				s.Done |= 1 << r
			}
		}
	}
}

func (f *flow) reads(i int) {
	s := f.s
	h := &s.M[i]
	if s.Reader == 0 {
		for r := range places {
			if s := f.s; s.Done>>r&1 != 0 && h.Records>>r&1 == 0 {
				s.Reader, s.Record = uint8(i+1), uint8(r+1)
				f.done(reads, i, r, s)
			}
		}
	}
	for j := range s.M {
		for stream := range h.Mem {
			f.echoes(i, j, stream)
		}
	}
}

// echoes is one part of a vector. It counts against the reader only if the reader holds all that it says.
func (f *flow) echoes(i, j, stream int) {
	s := f.s
	h, o := &s.M[i], &s.M[j]
	says := o.Stored[stream]
	if !f.on(StatedDisk) {
		says = o.Mem[stream]
	}
	if i == j || !h.Mem[stream].covers(says) {
		return
	}
	switch {
	case s.Reader == 0 && !f.on(R1) && i == 2 && !o.Early[stream]:
		o.Early[stream] = true
		f.done(before, i, 2*j+stream, s)
	case int(s.Reader) == i+1 && !o.Stated[stream]:
		o.Stated[stream] = true
		f.done(part, i, 2*j+stream, s)
	}
}

// Violated says that the reader holds all that another said after σ, which is a
// majority of three, and lacks what was acknowledged before.
func (m *Streams) Violated(s *StreamState) bool {
	if s.Reader == 0 || s.M[s.Reader-1].Records>>(s.Record-1)&1 != 0 {
		return false
	}
	for j := range s.M {
		o := &s.M[j]
		if j == int(s.Reader-1) {
			continue
		}
		if o.Stated[0] && o.Stated[1] {
			return true
		}
		if !m.on(R1) && s.Reader == 3 && (o.Stated[0] && o.Early[1] || o.Early[0] && o.Stated[1]) {
			return true
		}
	}
	return false
}
