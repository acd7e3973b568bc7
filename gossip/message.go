package gossip

import (
	"fmt"
	"time"

	"rescind"
	"rescind/internal/identity"
)

// Origin names a data folder, and so a node: the first 64 bits of a hash of the
// public key that was made with the folder (internal/identity), never 0.
type Origin uint64

// String returns 16 hexadecimal digits.
func (o Origin) String() string { return fmt.Sprintf("%016x", uint64(o)) }

// Position is a place in an origin's streams: all of epochs before Epoch, and
// the first Seq records of Epoch.
type Position struct{ Epoch, Seq uint64 }

// Before reports whether p lies before q.
func (p Position) Before(q Position) bool {
	return p.Epoch < q.Epoch || p.Epoch == q.Epoch && p.Seq < q.Seq
}

// Message is one unit that a carrier moves: who sent it, in which epoch of its
// own, and one of the bodies below.
type Message struct {
	From  Origin
	Epoch uint64
	Clock rescind.Millis // the sender's wall clock when it was sent; 0, for Step only: now
	Body  Body

	// Proof is the sender's signature, of a *Beat and a *Leave. Whoever brings such a
	// message, it is the word of From. What else says that it is From's may be anybody's.
	Proof *Proof
}

// Proof shows who says something.
type Proof struct {
	Public [identity.PublicSize]byte // of which From is the hash
	Sig    [identity.SigSize]byte    // over all that comes before it
}

// Body is the content of a message: *Batch, *Beat, *Ack, *RangeRequest,
// *RangeReply, *StateRequest, *StateReply, *Leave, *Compare, *Supply or *Full.
type Body interface {
	kind() byte
	append(b []byte) []byte
	read(r *reader)
}

// Batch brings the sender's records First, First+1, ... of its epoch. Head is
// the number of its last record so far.
type Batch struct {
	First, Head uint64
	Records     []rescind.Record
}

// Beat says that the sender lives, how long its stream is, and what it holds
// of other streams.
type Beat struct {
	N        uint64         // counts the sender's beats in this epoch
	Name     string         // the node's name, for people
	Head     uint64         // the number of its last record
	Synced   bool           // it has caught up with a member since it was started
	Previous Position       // the end of its previous epoch, on which this one builds; zero: there was none
	Clock    rescind.Millis // its wall clock when it sent this

	// Views are of the sender's own stream and of all streams it knows with
	// origins after After and up to UpTo, going on from the largest to the
	// smallest; of all if the two are equal.
	After, UpTo Origin
	Living      bool // those of them that have ended are left out, but for some
	Views       []View

	Roll *Roll // of a named member; nil: it names no members
}

// View is what a node holds of another origin's streams.
type View struct {
	Origin Origin
	At     Position      // its epoch as far as known, and up to which number it is held durably
	Based  bool          // everything of its earlier epochs is held too
	Past   Position      // what is held of its earlier epochs, as far as the sender remembers
	Left   bool          // it left gracefully in At.Epoch
	Counts bool          // it counts in the sender's bound
	Echo   uint64        // number of the last beat received from it in At.Epoch
	Age    time.Duration // since it was last heard, by the sender or by whom the sender has it from; ageUnknown: not since the sender was started
}

// Ack says that its sender has committed the receiver's records up to At.
type Ack struct {
	At   Position
	Roll *Roll         // of a named member
	Tag  [tagSize]byte // made with the secret that its sender and its receiver share
}

// RangeRequest asks for the records From to To of an origin's epoch.
type RangeRequest struct {
	Origin   Origin
	Epoch    uint64
	From, To uint64
}

// RangeReply answers with records starting at From, fewer than asked for if
// they are many. Gone says that the sender no longer remembers them one by one:
// the state must be asked for.
type RangeReply struct {
	Origin  Origin
	Epoch   uint64
	From    uint64
	Gone    bool
	Records []rescind.Record
}

// StateRequest asks for the live records from Cursor on, about Most of them: by
// the first byte of their digests, then by the second halves.
type StateRequest struct {
	Cursor rescind.Digest
	Most   uint64
}

// StateReply answers with the records from Cursor up to before Next, or to the end
// if Done. Views are the sender's frontiers before
// it scanned.
type StateReply struct {
	Cursor, Next rescind.Digest
	Done         bool
	Views        []View
	Records      []rescind.Record
}

// Leave says that the sender goes, and how long its stream has become.
type Leave struct{ Head uint64 }

// Compare is a step of a comparison. Parts say what the sender holds of ranges
// on which the two may differ; without any the round is over.
type Compare struct {
	Round uint64 // counts the rounds of whoever began it
	Hop   uint64 // counts the steps; the first is 0
	Cut   bool   // in this or an earlier step there was no room for all differences
	Most  uint64 // how many records or parts the answer is to hold at the most
	Parts []Part
}

// Part is what a node holds of a range: the sum, or all records.
type Part struct {
	rescind.Part
	Listed  bool // then there is no sum
	Records []rescind.Record
}

// Supply brings records that a comparison has found its receiver to lack.
type Supply struct{ Records []rescind.Record }

// Full tells a node that its sender has no room for another member: it is not heard
// there, and nobody counts it.
type Full struct{ Limit uint64 } // how many members the sender has room for
