package gossiptest

import (
	"slices"
	"testing"
	"time"

	"rescind"
	"rescind/gossip"
)

// Scenarios that random days rarely hit, on a calm network.

const never = 1000 * time.Hour

type scenario struct {
	*Sim
	t *testing.T
}

func newScenario(t *testing.T, nodes int) scenario {
	return scenario{New(1, Options{Nodes: nodes, Commit: 4 * time.Millisecond, ForgetAfter: 5 * time.Second}), t}
}

func (s scenario) run(d time.Duration) {
	s.t.Helper()
	for end := s.now + d; s.now < end; {
		if err := s.step(); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s scenario) down(i int) { n := s.nodes[i]; n.core, n.commit, n.upAt = nil, nil, never }
func (s scenario) up(i int)   { s.nodes[i].upAt = 0 }

func (s scenario) wipe(i int) {
	s.nodes[i].disk = emptyDisk()
}

func (s scenario) writes(i, n int) {
	for range n {
		s.write(s.nodes[i])
	}
}

// complete waits until node i has synchronised and then demands that it holds
// everything.
func (s scenario) complete(i int) {
	s.t.Helper()
	for end := s.now + 20*time.Second; s.nodes[i].core == nil || !s.nodes[i].core.Synced(); {
		s.run(tick)
		if s.now > end {
			s.t.Fatalf("n%d never synchronises", i)
		}
	}
	s.holdsAll(i)
}

func (s scenario) holdsAll(i int) {
	s.t.Helper()
	if lacks := s.lacks(i); lacks > 0 {
		s.t.Errorf("n%d lacks %d of %d", i, lacks, len(s.acked))
	}
}

// lacks counts what was acknowledged and is needed and not held by node i.
func (s scenario) lacks(i int) (n int) {
	for _, a := range s.acked {
		if s.required(a.record) && !s.nodes[i].refuses(a.record) {
			n++
		}
	}
	return n
}

func (s scenario) known(i int) bool {
	_, known := s.nodes[i].core.Staleness(s.now)
	return known
}

// TestNewcomersDoNotVouchForEachOther: two empty nodes that start together are
// not ready before they have what an older one holds.
func TestNewcomersDoNotVouchForEachOther(t *testing.T) {
	s := newScenario(t, 3)
	s.down(1)
	s.down(2)
	s.wipe(1)
	s.wipe(2)
	s.writes(0, 500)
	s.run(time.Second)
	s.down(0)
	s.up(0) // a second epoch, so that newcomers need its base
	s.run(time.Second)
	s.up(1)
	s.up(2)
	s.complete(1)
	s.complete(2)
}

func TestColdStart(t *testing.T) {
	s := newScenario(t, 3)
	s.writes(0, 5)
	s.run(time.Second)
	for i := range s.nodes {
		s.down(i)
		s.up(i)
	}
	for i := range s.nodes {
		s.complete(i)
	}
}

// TestForgottenMember: what a member acknowledged before it went for good
// reaches a node that was away all the while, by a restart or a partition.
func TestForgottenMember(t *testing.T) {
	for _, partition := range []bool{false, true} {
		s := newScenario(t, 3)
		s.writes(0, 3)
		s.writes(1, 3)
		s.run(2 * time.Second)
		if partition {
			for _, i := range []int{0, 2} {
				s.cut[[2]int{i, 1}], s.cut[[2]int{1, i}] = never, never
			}
		} else {
			s.down(1)
		}
		s.writes(2, 3)
		s.run(time.Second)
		s.down(2)
		s.run(7 * time.Second)
		if partition && s.known(1) {
			t.Error("a node that has lost everybody states a bound")
		}
		clear(s.cut)
		s.up(1)
		s.run(10 * time.Second)
		s.complete(1)
		if !s.known(0) || !s.known(1) {
			t.Errorf("partition %v: staleness known %v and %v after the dead member was forgotten", partition, s.known(0), s.known(1))
		}
	}
}

// TestRestartRevivesNobody: a node that comes back and remembers a dead member
// does not make the others list it again.
func TestRestartRevivesNobody(t *testing.T) {
	s := newScenario(t, 4)
	s.writes(3, 2)
	s.run(2 * time.Second)
	s.down(1)
	s.down(3)
	s.run(7 * time.Second)
	for range 5 {
		s.up(1)
		s.run(2 * time.Second)
		for i := range 3 {
			if !s.known(i) {
				t.Errorf("at %v the staleness of n%d is unknown", s.now, i)
			}
		}
		s.down(1)
		s.run(100 * time.Millisecond)
	}
}

// TestRolledBackFolder: a node whose disk was replaced by an old copy is not
// ready before it has what it had acknowledged.
func TestRolledBackFolder(t *testing.T) {
	for _, away := range []time.Duration{0, 50 * time.Millisecond, 100 * time.Millisecond, 150 * time.Millisecond, 200 * time.Millisecond, 250 * time.Millisecond} {
		s := newScenario(t, 3)
		s.writes(0, 3)
		s.run(time.Second)
		old := s.nodes[0].disk.clone()
		s.down(0)
		s.up(0)
		s.run(time.Second)
		s.writes(0, 5)
		s.run(time.Second)
		s.down(0)
		for d := range s.nodes[0].disk.records {
			s.lost[d] = true // steps don't demand what the disk no longer has; complete does
		}
		s.nodes[0].disk = old.clone()
		s.run(away)
		s.up(0)
		s.complete(0)
	}
}

// TestLeaverWithAGap: a member that leaves before others have all that it
// acknowledged goes on counting.
func TestLeaverWithAGap(t *testing.T) {
	s := newScenario(t, 3)
	s.run(time.Second)
	s.cut[[2]int{0, 1}] = s.now + 300*time.Millisecond
	s.writes(0, 3)
	s.run(300 * time.Millisecond)
	s.nodes[0].core.Leave()
	if err := s.ready(s.nodes[0]); err != nil {
		t.Fatal(err)
	}
	s.run(20 * time.Millisecond)
	s.down(0)
	s.run(3 * time.Second) // steps check that nobody understates
	s.holdsAll(1)
	if !s.known(1) {
		t.Error("the staleness of n1 is unknown after the leaver's records arrived")
	}
}

// TestTransferLeavesADeadDonor: every donor has timed out once, and the last
// one dies.
func TestTransferLeavesADeadDonor(t *testing.T) {
	s := newScenario(t, 3)
	s.down(2)
	s.wipe(2)
	s.writes(0, 500)
	s.writes(1, 500)
	s.run(time.Second)
	for i := range 2 {
		s.down(i)
		s.up(i)
	}
	s.run(2 * time.Second)
	s.up(2)
	s.run(300 * time.Millisecond)
	for i := range 2 { // heard, but deaf
		s.cut[[2]int{2, i}] = s.now + 4*time.Second
	}
	s.run(4 * time.Second)
	s.down(1)
	s.complete(2)
}

// TestManyForgottenMembers: where every restart makes a new folder, what is told of
// those that went stays bounded, what was acknowledged to them is remembered (W2), and
// nobody asks for the state again and again.
func TestManyForgottenMembers(t *testing.T) {
	s := newScenario(t, 40)
	for i := range 38 {
		s.writes(i, 1)
	}
	s.run(2 * time.Second)
	for i := range 37 {
		s.down(i)
	}
	s.run(10 * time.Second)
	s.down(37)
	s.up(37)
	s.run(3 * time.Second)
	asked := 0
	for end := s.now + 3*time.Second; s.now < end; {
		s.run(tick)
		for _, queue := range s.queue {
			for _, d := range queue {
				if m, err := gossip.Decode(d.bytes); err == nil {
					if _, ok := m.Body.(*gossip.StateRequest); ok {
						asked++
					}
				}
			}
		}
	}
	if asked > 0 {
		t.Errorf("the state is asked for %d times in a calm cluster", asked)
	}
	for i := 37; i < 40; i++ {
		s.complete(i)
		if told := len(s.nodes[i].core.Held()); told > 30 {
			t.Errorf("n%d tells of %d streams", i, told)
		}
		if n := len(s.nodes[i].disk.frontiers); n < 37 {
			t.Errorf("n%d remembers only %d streams on its disk", i, n)
		}
	}
}

// TestAcknowledgedAndDeadBeforeSending: what a node acknowledged while it was
// cut off, before it crashed, reaches the others when it is back much later.
func TestAcknowledgedAndDeadBeforeSending(t *testing.T) {
	s := newScenario(t, 3)
	s.run(time.Second)
	for i := 1; i < 3; i++ {
		s.cut[[2]int{0, i}] = never
	}
	s.writes(0, 10)
	s.run(50 * time.Millisecond)
	told := len(s.acked)
	s.down(0)
	clear(s.cut)
	s.writes(1, 10)
	s.run(time.Minute) // longer than members are listed
	if told == 0 {
		t.Fatal("nothing was acknowledged")
	}
	s.up(0)
	s.complete(0)
	s.run(time.Second)
	for i := range 3 {
		s.holdsAll(i)
	}
}

// TestLastMessageBeforeSilence: the last record that a node sent was lost, and it
// sends no more records: its beats tell.
func TestLastMessageBeforeSilence(t *testing.T) {
	s := newScenario(t, 3)
	s.run(time.Second)
	for i := 1; i < 3; i++ {
		s.cut[[2]int{0, i}] = s.now + 20*time.Millisecond
	}
	s.writes(0, 1)
	s.run(2*gossip.BeatEvery + 50*time.Millisecond) // two beats and a round trip
	for i := 1; i < 3; i++ {
		s.holdsAll(i)
	}
}

// TestBeatsHeldBack: beats that arrive a minute late, and again, prove nothing.
func TestBeatsHeldBack(t *testing.T) {
	s := newScenario(t, 3)
	s.run(time.Second)
	held := map[time.Duration][]delivery{}
	for end := s.now + 3*time.Second; s.now < end; {
		for at, queue := range s.queue {
			for _, d := range queue {
				if d.from == 0 && d.to == 1 {
					held[at+time.Minute] = append(held[at+time.Minute], d)
					held[at+time.Minute+time.Second] = append(held[at+time.Minute+time.Second], d)
				}
			}
		}
		s.run(tick)
	}
	s.cut[[2]int{0, 1}] = never
	s.cut[[2]int{2, 1}] = never
	s.writes(0, 5)
	for at, queue := range held {
		s.queue[at] = append(s.queue[at], queue...)
	}
	s.run(65 * time.Second) // steps check that nobody understates
	if asOf, known := s.nodes[1].core.Staleness(s.now); known && s.now-asOf < time.Minute {
		t.Errorf("n1 hears nobody but a minute's old messages and states a bound of %v", s.now-asOf)
	}
}

// TestPausedNode: a node that stood still for ten seconds knows that it is ten
// seconds behind, until it has caught up.
func TestPausedNode(t *testing.T) {
	s := newScenario(t, 3)
	s.run(2 * time.Second)
	paused := s.nodes[1]
	core := paused.core
	paused.core, paused.upAt = nil, never
	s.writes(0, 5)
	s.run(4 * time.Second)
	paused.core = core
	if asOf, known := core.Staleness(s.now); known && s.now-asOf < 4*time.Second {
		t.Errorf("a node that wakes claims a bound of %v", s.now-asOf)
	}
	s.run(2 * time.Second)
	s.holdsAll(1)
	if asOf, known := core.Staleness(s.now); !known || s.now-asOf > s.usualStaleness() {
		t.Errorf("two seconds later its bound is %v, %v", s.now-asOf, known)
	}
}

// TestLeaverWithAGapByHearsay: who hears from another that a member has left
// counts it until it has all that the member had, though the teller has not.
func TestLeaverWithAGapByHearsay(t *testing.T) {
	s := newScenario(t, 3)
	s.run(time.Second)
	for i := 1; i < 3; i++ {
		s.cut[[2]int{0, i}] = s.now + 300*time.Millisecond
	}
	s.writes(0, 3)
	s.run(300 * time.Millisecond)
	s.cut[[2]int{0, 2}] = never // n2 will not hear the farewell
	s.nodes[0].core.Leave()
	if err := s.ready(s.nodes[0]); err != nil {
		t.Fatal(err)
	}
	s.run(10 * time.Millisecond)
	s.down(0)              // before n1 can ask for what it missed
	s.run(3 * time.Second) // steps check that nobody understates
	for i := 1; i < 3; i++ {
		if asOf, known := s.nodes[i].core.Staleness(s.now); known && s.now-asOf < time.Second && s.lacks(i) > 0 {
			t.Errorf("n%d lacks %d and claims to be fresh", i, s.lacks(i))
		}
	}
}

// TestColdStartOfAPartialMesh: nodes that start at once, each of which does not
// hear one of the others, come up all the same.
func TestColdStartOfAPartialMesh(t *testing.T) {
	s := newScenario(t, 4)
	s.writes(0, 5)
	s.run(2 * time.Second)
	for i := range s.nodes {
		s.down(i)
	}
	for _, link := range [][2]int{{0, 2}, {1, 3}} {
		s.cut[link], s.cut[[2]int{link[1], link[0]}] = never, never
	}
	for i := range s.nodes {
		s.up(i)
	}
	for i := range s.nodes {
		s.complete(i)
	}
}

// TestTransferIsVerified: a record that a transfer has missed is there when the
// node is ready.
func TestTransferIsVerified(t *testing.T) {
	for _, writes := range []int{10, 30, 100, 300, 1000} { // who lists whose records depends on how many there are
		s := newScenario(t, 2)
		s.down(1)
		s.wipe(1)
		s.writes(0, writes)
		s.run(time.Second)
		s.down(0)
		s.up(0) // a second epoch, so that the newcomer needs its base
		s.run(time.Second)
		long := slices.IndexFunc(s.acked, func(a acked) bool { return a.record.ExpiresAt > s.trueTime().Add(rescind.BucketWidth) })
		s.hidden = s.acked[long].record.Digest
		s.skipped[s.hidden] = true // steps excuse it; complete does not
		s.up(1)
		s.complete(1)
	}
}

// TestClockSteppedBackBringsNothingBack: a node whose clock stepped back a day
// no longer forgets, and does not give back to others what they have forgotten.
func TestClockSteppedBackBringsNothingBack(t *testing.T) {
	s := newScenario(t, 3)
	for range 300 {
		s.write(s.nodes[0])
	}
	s.run(2 * time.Second)
	s.nodes[1].skew = -24 * time.Hour
	s.run(rescind.RetentionMargin / 2) // what was revoked for a short time lapses at the others
	before := s.compared
	s.run(10 * time.Second)
	if grown := s.compared - before; grown > 10_000 {
		t.Errorf("%d bytes of comparisons in ten seconds of calm", grown)
	}
	if s.nodes[0].set.Len() >= s.nodes[1].set.Len() {
		t.Errorf("n0 holds %d records and n1, which forgets nothing, %d", s.nodes[0].set.Len(), s.nodes[1].set.Len())
	}
}
