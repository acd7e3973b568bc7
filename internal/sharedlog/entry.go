package sharedlog

import (
	"encoding/binary"
	"errors"

	"rescind"
	"rescind/internal/store"
)

// entry is the content of a message of records. Before it is sealed it is
//
//	version 1 | origin 8 | epoch 8 | own 8 | number 8 | records 32 each
//
// with all numbers big-endian. Nodes of before 2026-11-29 write a number of 0,
// and read others' numbers without harm.
type entry struct {
	origin uint64
	at     store.Position // all of origin's records up to here are in the stream; a Seq of 0 says nothing
	number uint64         // counts origin's messages of records; 0: it does not count them
	// records are in the binary form of rescind.Record.
	records []rescind.Record
}

const (
	entryVersion = 1
	entryHeader  = 1 + 4*8

	// maxRecords is how many a message may hold: half a MiB, within what NATS
	// servers take by default.
	maxRecords = 1 << 14
)

func (e entry) append(b []byte) []byte {
	b = append(b, entryVersion)
	b = appendNumbers(b, e.origin, e.at.Epoch, e.at.Seq, e.number)
	for _, r := range e.records {
		b = r.Append(b)
	}
	return b
}

func appendNumbers(b []byte, numbers ...uint64) []byte {
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

// errEntry: the message opens and is none that this version reads. errEarlier: it
// is a mark of a node of an earlier version, which proves nothing.
var (
	errEntry   = errors.New("not an entry of this version")
	errEarlier = errors.New("a mark of an earlier version")
)

// entryOf reads what append wrote, and nothing else.
func entryOf(b []byte) (e entry, err error) {
	if len(b) < entryHeader || b[0] != entryVersion || (len(b)-entryHeader)%rescind.RecordSize != 0 {
		return e, errEntry
	}
	n := func(i int) uint64 { return binary.BigEndian.Uint64(b[1+8*i:]) }
	e = entry{origin: n(0), at: store.Position{Epoch: n(1), Seq: n(2)}, number: n(3)}
	if e.origin == 0 || e.at.Epoch == 0 {
		return e, errEntry
	}
	rest := b[entryHeader:]
	if len(rest) == 0 {
		return e, errEarlier
	}
	e.records = make([]rescind.Record, 0, len(rest)/rescind.RecordSize)
	for ; len(rest) > 0; rest = rest[rescind.RecordSize:] {
		r, err := rescind.RecordOf(rest)
		if err != nil {
			return e, err
		}
		e.records = append(e.records, r)
	}
	return e, nil
}

// bucket returns the one bucket that all of e's records are of, or false: then
// somebody has put them together who is none of us.
func (e entry) bucket() (bucket uint64, one bool) {
	for i, r := range e.records {
		if b := bucketOf(r.ExpiresAt); i == 0 {
			bucket = b
		} else if b != bucket {
			return 0, false
		}
	}
	return bucket, len(e.records) > 0
}

// mark is what a node says of itself now and then. Before it is sealed it is
//
//	version 2 | stream 8 | origin 8 | epoch 8 | own 8 | number 8 | tallies: bucket 8, messages 8
type mark struct {
	stream  uint64 // the stream's ID: in another stream it says nothing
	origin  uint64
	at      store.Position // as of entry
	number  uint64         // counts origin's marks
	written []tally        // what origin has written and has not lapsed
}

// tally says how many messages somebody has written into a bucket, or, as the
// last of a mark's, into that bucket and all later ones.
type tally struct{ bucket, messages uint64 }

const (
	markVersion = 2
	markHeader  = 1 + 5*8
	tallySize   = 2 * 8

	// maxTallies is for how many buckets a mark has a tally of its own. More than
	// can lapse while a mark is in the stream.
	maxTallies = 24
)

func (m mark) append(b []byte) []byte {
	b = append(b, markVersion)
	b = appendNumbers(b, m.stream, m.origin, m.at.Epoch, m.at.Seq, m.number)
	for _, t := range m.written {
		b = appendNumbers(b, t.bucket, t.messages)
	}
	return b
}

// markOf reads what append wrote, and nothing else.
func markOf(b []byte) (m mark, err error) {
	if len(b) < markHeader || b[0] != markVersion || (len(b)-markHeader)%tallySize != 0 || len(b) > markHeader+maxTallies*tallySize {
		return m, errEntry
	}
	n := func(i int) uint64 { return binary.BigEndian.Uint64(b[1+8*i:]) }
	m = mark{stream: n(0), origin: n(1), at: store.Position{Epoch: n(2), Seq: n(3)}, number: n(4)}
	if m.origin == 0 || m.at.Epoch == 0 || m.number == 0 {
		return m, errEntry
	}
	for i := range (len(b) - markHeader) / tallySize {
		t := tally{n(5 + 2*i), n(6 + 2*i)}
		if t.messages == 0 || i > 0 && t.bucket <= m.written[i-1].bucket {
			return m, errEntry
		}
		m.written = append(m.written, t)
	}
	return m, nil
}
