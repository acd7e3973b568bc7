package model

import (
	"flag"
	"testing"
	"time"
)

var (
	full = flag.Bool("model.full", false, "also explore the configurations that take minutes and gigabytes")
	most = flag.Int("model.most", 40_000_000, "states of a configuration at most: 19 bytes each, 250 while it waits")
)

// The lists that change: one more name, one less, two at once, one after the other.
var (
	grow    = []List{{0b0111, 0, 0}, {0b1111, 1, 0}}
	shrink  = []List{{0b1111, 0, 0}, {0b0111, 1, 0}}
	twice   = []List{{0b1111, 0, 0}, {0b0111, 1, 0}, {0b1011, 1, 0}}
	thrice  = []List{{0b11111, 0, 0}, {0b01111, 1, 0}, {0b00111, 2, 1}, {0b00011, 3, 2}}
	jump    = []List{{0b00111, 0, 0}, {0b11100, 1, 0}}
	changed = []List{{0b11111, 0, 0}, {0b00011, 3, 0}}
	chain   = []List{{0b1111, 0, 0}, {0b0111, 1, 0}, {0b0011, 2, 1}}
)

// configurations are explored to the end with every rule kept.
var configurations = []struct {
	name string
	slow bool
	sys  Quorum
}{
	{"3 members, 1 disk lost", false, Quorum{Names: 3, Gens: 2, Replaced: 1}},
	{"3 members, 1 replaced and alive", false, Quorum{Names: 3, Gens: 2, Replaced: 1, LiveOn: true}},
	{"3 members, 1 replaced and alive, 1 crash", false,
		Quorum{Names: 3, Gens: 2, Replaced: 1, LiveOn: true, Crashes: 1}},
	{"3 members, 2 disks lost", false, Quorum{Names: 3, Gens: 2, Replaced: 2}},
	{"3 members, 2 replaced and alive", false, Quorum{Names: 3, Gens: 2, Replaced: 2, LiveOn: true}},
	{"the same, older origins are higher", false, Quorum{Names: 3, Gens: 2, Replaced: 2, LiveOn: true, Older: true}},
	{"the same, names told apart", true, Quorum{Names: 3, Gens: 2, Replaced: 2, LiveOn: true, Named: true}},
	{"3 members, one name replaced twice, 3 in all", true, Quorum{Names: 3, Gens: 3, Replaced: 3, LiveOn: true}},
	{"3 members, 2 replaced and alive, 2 crashes", true,
		Quorum{Names: 3, Gens: 2, Replaced: 2, LiveOn: true, Crashes: 2}},
	{"4 members, 2 replaced and alive", true, Quorum{Names: 4, Gens: 2, Replaced: 2, LiveOn: true}},
	{"5 members, 1 replaced and alive", false, Quorum{Names: 5, Gens: 2, Replaced: 1, LiveOn: true}},
	{"5 members, 2 disks lost", true, Quorum{Names: 5, Gens: 2, Replaced: 2}},
	{"5 members, 2 disks lost, no second round", true, Quorum{Names: 5, Gens: 2, Replaced: 2, Without: I1Second}},
	{"5 members, 2 replaced and alive, no second round", true,
		Quorum{Names: 5, Gens: 2, Replaced: 2, LiveOn: true, Without: I1Second}},
	{"5 members, 2 replaced and alive", true, Quorum{Names: 5, Gens: 2, Replaced: 2, LiveOn: true}},

	{"founding by 3", false, Quorum{Names: 3, Gens: 1, Founding: true, Named: true}},
	{"founding by 2 of 3, nothing lost", false,
		Quorum{Names: 3, Gens: 1, Founding: true, Bootstrap: true, Named: true}},
	{"founding by 3, 1 disk lost", true, Quorum{Names: 3, Gens: 2, Replaced: 1, Founding: true, Named: true}},
	{"founding by 3, 1 replaced and alive", true,
		Quorum{Names: 3, Gens: 2, Replaced: 1, LiveOn: true, Founding: true, Named: true}},

	{"entries dropped, 3 members, 1 disk lost", false, Quorum{Names: 3, Gens: 2, Replaced: 1, Drops: true}},
	{"entries dropped, 3 members, 1 replaced and alive", true,
		Quorum{Names: 3, Gens: 2, Replaced: 1, LiveOn: true, Drops: true}},

	{"a folder rolled back, 3 members, both others know", false, Quorum{Names: 3, Gens: 1, Back: true, Remember: 2}},
	{"a folder rolled back, 5 members, 3 others know", false, Quorum{Names: 5, Gens: 1, Back: true, Remember: 3}},
	{"a folder rolled back, 3 members, 1 disk lost", true,
		Quorum{Names: 3, Gens: 2, Replaced: 1, Back: true, Remember: 2}},

	{"from 3 to 4 members", true, Quorum{Names: 4, Gens: 1, Lists: grow}},
	{"from 4 to 3 members", false, Quorum{Names: 4, Gens: 1, Lists: shrink}},
	{"from 4 to 3 members, 1 disk lost", true, Quorum{Names: 4, Gens: 2, Replaced: 1, Lists: shrink}},
	{"from 4 to one of two lists of 3", true, Quorum{Names: 4, Gens: 1, Lists: twice}},
	{"from 3 members to 3 of which 2 are others", true, Quorum{Names: 5, Gens: 1, Lists: jump, Ready: true}},
	{"5 members became 2, and not all know", false, Quorum{Names: 5, Gens: 1, Lists: changed, Changed: 0b00111}},
	{"from 4 to 3 to 2 members", true, Quorum{Names: 4, Gens: 1, Lists: chain}},
}

func TestHolds(t *testing.T) {
	for _, c := range configurations {
		t.Run(c.name, func(t *testing.T) {
			if c.slow && !*full {
				t.Skip("takes minutes; run it with -model.full")
			}
			began := time.Now()
			r := Explore(&c.sys, *most)
			t.Logf("%v, %v", r, time.Since(began).Round(time.Millisecond))
			if r.Violated || !r.Whole && !*full {
				t.Fail()
			}
		})
	}
}

// plants leave a rule out, each where that shows.
var plants = []struct {
	name string
	slow bool
	sys  Quorum
}{
	{"W3: acknowledgements do not carry incarnations", false,
		Quorum{Names: 3, Gens: 2, Replaced: 1, LiveOn: true, Without: W3}},
	{"W3, 5 members", false, Quorum{Names: 5, Gens: 2, Replaced: 1, LiveOn: true, Without: W3}},
	{"R2: echoes do not carry incarnations", false,
		Quorum{Names: 3, Gens: 2, Replaced: 1, LiveOn: true, Without: R2}},
	{"R2, 5 members", false, Quorum{Names: 5, Gens: 2, Replaced: 1, LiveOn: true, Without: R2}},
	{"I1: q-1 witnesses", false, Quorum{Names: 3, Gens: 2, Replaced: 1, Without: I1Majority}},
	{"I1: q-1 witnesses, 5 members", false,
		Quorum{Names: 5, Gens: 2, Replaced: 1, LiveOn: true, Without: I1Majority}},
	{"I1: witnesses are not void", false, Quorum{Names: 3, Gens: 2, Replaced: 2, LiveOn: true, Without: I1Void}},
	{"I1: no second round, and witnesses are not void", true,
		Quorum{Names: 5, Gens: 2, Replaced: 2, Without: I1Second | I1Void}},
	{"I1: whole before it is on disk", false, Quorum{Names: 3, Gens: 2, Replaced: 1, Crashes: 1, Without: I1Durable}},
	{"I2: any number will do", false,
		Quorum{Names: 3, Gens: 2, Replaced: 1, LiveOn: true, Older: true, Without: I2Higher}},
	{"I2: incarnations are not adopted", false,
		Quorum{Names: 3, Gens: 2, Replaced: 2, LiveOn: true, Without: I2Adopt}},
	{"I2: incarnations are not noted on disk", false,
		Quorum{Names: 3, Gens: 2, Replaced: 1, LiveOn: true, Crashes: 1, Without: I2Noted}},
	{"I3: who is not whole counts", false, Quorum{Names: 3, Gens: 2, Replaced: 1, Without: I3}},
	{"received instead of durable", false, Quorum{Names: 3, Gens: 1, Crashes: 1, Without: AckDurable}},
	{"founding without binding", true,
		Quorum{Names: 3, Gens: 2, Replaced: 1, Founding: true, Named: true, Without: FoundBind}},
	{"founding by q, then a disk is lost", true,
		Quorum{Names: 3, Gens: 2, Replaced: 1, Founding: true, Bootstrap: true, Named: true}},
	{"a dropped entry, then a disk is lost", false,
		Quorum{Names: 3, Gens: 2, Replaced: 1, Drops: true, Without: DropState}},
	{"all hold it, but one of them was replaced", true,
		Quorum{Names: 3, Gens: 2, Replaced: 1, LiveOn: true, Drops: true, Without: DropVoid}},
	{"rolled back, and counted by who knows", false,
		Quorum{Names: 3, Gens: 1, Back: true, Remember: 2, Without: BackCount | BackCheck}},
	{"rolled back, and counted before enough have heard it", false,
		Quorum{Names: 5, Gens: 1, Back: true, Remember: 3, Without: BackCheck}},
	{"rolled back, and too few know", false, Quorum{Names: 5, Gens: 1, Back: true, Remember: 2}},
	{"two changes at once: two lists of one number", true,
		Quorum{Names: 4, Gens: 1, Lists: twice, Without: ListSame}},
	{"two changes at once: more before the first is in force", true,
		Quorum{Names: 5, Gens: 1, Lists: thrice, Without: ListOne}},
	{"one majority while a list is not in force", true, Quorum{Names: 4, Gens: 1, Lists: twice, Without: ListBoth}},
	{"one majority, 3 members to 3 others", true,
		Quorum{Names: 5, Gens: 1, Lists: jump, Ready: true, Without: ListBoth}},
	{"echoes from before the list was in force", true,
		Quorum{Names: 5, Gens: 1, Lists: jump, Ready: true, Without: ListSince}},
	{"counted where one knows a higher list", false,
		Quorum{Names: 5, Gens: 1, Lists: changed, Changed: 0b00111, Without: ListHigher}},
	{"the old majority tells before it knows the new list", true,
		Quorum{Names: 5, Gens: 1, Lists: jump, Ready: true, Without: ListKnow}},
	{"in force before the new majority has caught up", true,
		Quorum{Names: 5, Gens: 1, Lists: jump, Ready: true, Without: ListCaught}},
}

func TestPlants(t *testing.T) {
	for _, c := range plants {
		t.Run(c.name, func(t *testing.T) {
			if c.slow && !*full {
				t.Skip("takes minutes; run it with -model.full")
			}
			began := time.Now()
			r := Explore(&c.sys, *most)
			t.Logf("%v, %v", r, time.Since(began).Round(time.Millisecond))
			if !r.Violated {
				t.Error("nothing breaks without this rule")
			}
		})
	}
}

// TestStreamsHold: to the end with -model.full, else to a depth beyond every plant.
func TestStreamsHold(t *testing.T) {
	sys, limit := &Streams{Crashes: 1}, *most
	if !*full {
		limit = 300_000
	}
	r := Explore(sys, limit)
	if t.Log(r); r.Violated {
		t.Fail()
	}
}

func TestStreamsPlants(t *testing.T) {
	for _, c := range []struct {
		name string
		slow bool
		sys  Streams
	}{
		{"W1: acknowledged without a base", true, Streams{Without: W1}},
		{"W2: an epoch whose base is missing takes the entry away", true, Streams{Without: W2}},
		{"W2: so does a start", true, Streams{Crashes: 1, Without: W2Restart}},
		{"R1: a vector is as old as its newest part", false, Streams{Without: R1}},
		{"received instead of durable", false, Streams{Crashes: 1, Without: StatedDisk}},
		{"an epoch counts without the end of the one before", true, Streams{Without: BaseEnd}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.slow && !*full {
				t.Skip("takes a minute; run it with -model.full")
			}
			r := Explore(&c.sys, *most)
			if t.Log(r); !r.Violated {
				t.Error("nothing breaks without this rule")
			}
		})
	}
}
