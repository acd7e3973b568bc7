package sharedlog

import (
	"encoding/binary"
	"errors"

	"rescind"
	"rescind/internal/store"
)

// entry is the content of a message. Before it is sealed it is
//
//	version 1 | origin 8 | epoch 8 | own 8 | mark 8 | records 32 each
//
// with all numbers big-endian.
type entry struct {
	origin uint64
	at     store.Position // all of origin's records up to here are in the stream; a Seq of 0 says nothing
	mark   uint64         // counts its marks; 0: this is none
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
	for _, n := range []uint64{e.origin, e.at.Epoch, e.at.Seq, e.mark} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	for _, r := range e.records {
		b = r.Append(b)
	}
	return b
}

var errEntry = errors.New("not an entry of this version")

// entryOf reads what append wrote, and nothing else.
func entryOf(b []byte) (e entry, err error) {
	if len(b) < entryHeader || b[0] != entryVersion || (len(b)-entryHeader)%rescind.RecordSize != 0 {
		return e, errEntry
	}
	n := func(i int) uint64 { return binary.BigEndian.Uint64(b[1+8*i:]) }
	e = entry{origin: n(0), at: store.Position{Epoch: n(1), Seq: n(2)}, mark: n(3)}
	if e.origin == 0 || e.at.Epoch == 0 {
		return e, errEntry
	}
	if rest := b[entryHeader:]; len(rest) > 0 {
		e.records = make([]rescind.Record, 0, len(rest)/rescind.RecordSize)
		for ; len(rest) > 0; rest = rest[rescind.RecordSize:] {
			r, err := rescind.RecordOf(rest)
			if err != nil {
				return e, err
			}
			e.records = append(e.records, r)
		}
	}
	return e, nil
}
