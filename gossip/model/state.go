package model

import "math/bits"

// Processes is how many a state has room for: a name has up to Gens of them, one
// after another, and the old ones may live on. Process i has the name i/Gens.
const Processes = 10

// A slots is a set of processes, a names one of names.
type (
	slots uint16
	names uint8
)

func (s slots) has(i int) bool   { return s>>i&1 != 0 }
func (s slots) with(i int) slots { return s | 1<<i }
func (s names) size() int        { return bits.OnesCount8(uint8(s)) }
func (s names) has(i int) bool   { return s>>i&1 != 0 }

// A mark is one bit that a process knows of itself.
type mark uint16

const (
	exists    mark = 1 << iota // the process runs; without, its folder is lost
	holds                      // the record, durably, by its vector
	received                   // the record, in memory only
	whole                      // the folder has not forgotten what it acknowledged
	got                        // a witness told of the record
	state                      // the whole state of a witness was taken
	sawOld                     // somebody heard is whole: no founding
	inForce                    // the list
	caught                     // up with what a majority of the list before says
	lacked                     // the record when it learned its list
	unchecked                  // started again, and not yet heard by enough
	dropped                    // the vector no longer names the record
)

// known packs the highest incarnation known of each name, five bits each, and
// for what was said beside it what its sender knew when it said so.
type known uint32

const (
	said         known = 1 << 31 // it was said at all
	listShift          = 26      // the number of its sender's list
	incarnations known = 1<<25 - 1
)

func (k known) of(name int) uint8 { return uint8(k >> (5 * name) & 31) }
func (k known) list() uint8       { return uint8(k >> listShift & 7) }

func (k known) with(name int, incarnation uint8) known {
	return k&^(31<<(5*name)) | known(incarnation)<<(5*name)
}

// join adopts what another knows, but of oneself one knows best.
func (k known) join(o known, self int) known {
	for name := range 5 {
		if name != self && o.of(name) > k.of(name) {
			k = k.with(name, o.of(name))
		}
	}
	return k
}

// A process is one folder and who runs from it.
type process struct {
	Flags         mark
	Num           uint8 // of the incarnation; 0 is none yet
	List          uint8 // the latest known
	Knows         known // durably
	Said          known // before the majority: with its acknowledgement; after: with its echo
	Told, Agreed  slots // a newcomer's witnesses in both rounds; while founding, who was heard to be new
	Olds, Caughts slots // while founding: the statement, and who has accepted it
	Heard         slots // who stated to hold the record, or the folder before it was rolled back
	Bound         uint8 // to the founding of process Bound-1
}

func (p *process) is(f mark) bool { return p.Flags&f == f }

// A State is all that is so at one moment. The zero numbers of Origin and Reader
// mean nobody; i+1 is process i.
type State struct {
	P              [Processes]process
	Origin, Reader uint8 // who accepted the record, and who sent the heartbeat at σ
	Acked          bool  // a majority has, as the origin counts
	Replaced       uint8
	Crashed        uint8
	Saved, Back    uint8   // whose folder was copied, and restored
	Copy           process // of it
}
