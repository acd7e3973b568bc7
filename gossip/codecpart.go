package gossip

import (
	"encoding/binary"
	"math"

	"rescind"
)

// What the first byte of a part says.
const (
	partListed   = 1 << iota // records follow, and no sum
	partFollows              // it begins where the one before ends
	partToTheEnd             // its range has no upper end
	partFlags    = 1<<iota - 1
)

func (*Compare) kind() byte { return kindCompare }

func (m *Compare) append(b []byte) []byte {
	b = binary.AppendUvarint(binary.AppendUvarint(b, m.Round), m.Hop)
	b = binary.AppendUvarint(appendBool(b, m.Cut), m.Most)
	b = binary.AppendUvarint(b, uint64(len(m.Parts)))
	var at rescind.Bound
	for _, p := range m.Parts {
		b = appendPart(b, p, at)
		at = p.Range.To
	}
	return b
}

func (m *Compare) read(r *reader) {
	m.Round, m.Hop, m.Cut, m.Most = r.uvarint(), r.uvarint(), r.bool(), r.uvarint()
	n := r.count(maxParts, 3)
	var at rescind.Bound
	for range n {
		p := r.part(at)
		if r.failed {
			return
		}
		m.Parts = append(m.Parts, p)
		at = p.Range.To
	}
}

// appendPart appends the binary form of p, which follows a part that ends at a
// bound: flags, the bounds that these don't imply, and the sum or the records.
func appendPart(b []byte, p Part, at rescind.Bound) []byte {
	flags := byte(0)
	if p.Listed {
		flags |= partListed
	}
	if p.Range.From == at {
		flags |= partFollows
	}
	if p.Range.To == rescind.End {
		flags |= partToTheEnd
	}
	b = append(b, flags)
	if flags&partFollows == 0 {
		b = appendBound(b, p.Range.From)
	}
	if flags&partToTheEnd == 0 {
		b = appendBound(b, p.Range.To)
	}
	if p.Listed {
		return appendRecords(b, p.Records)
	}
	b = binary.BigEndian.AppendUint64(b, p.Sum.Hi)
	b = binary.BigEndian.AppendUint64(b, p.Sum.Lo)
	return binary.AppendUvarint(b, p.Sum.Count)
}

func (r *reader) part(at rescind.Bound) (p Part) {
	flags := r.byte()
	p.Range = rescind.Range{From: at, To: rescind.End}
	if flags&partFollows == 0 {
		p.Range.From = r.bound()
		r.failed = r.failed || p.Range.From == at
	}
	if flags&partToTheEnd == 0 {
		p.Range.To = r.bound()
		r.failed = r.failed || p.Range.To == rescind.End
	}
	// Parts that follow each other are read once in all, however many there are.
	r.failed = r.failed || flags > partFlags || p.Range.From.Less(at) || !p.Range.From.Less(p.Range.To)
	if flags&partListed != 0 {
		p.Listed, p.Records = true, r.records()
		return p
	}
	p.Sum = rescind.Sum{Hi: r.uint64(), Lo: r.uint64(), Count: r.uvarint()}
	return p
}

// appendBound appends the bucket and the digest without the zero bytes at its
// end, of which the bounds that sets choose have many.
func appendBound(b []byte, at rescind.Bound) []byte {
	b = binary.AppendUvarint(b, uint64(at.Bucket))
	digest := at.Digest.Append(make([]byte, 0, 16))
	for len(digest) > 0 && digest[len(digest)-1] == 0 {
		digest = digest[:len(digest)-1]
	}
	return append(append(b, byte(len(digest))), digest...)
}

// maxBucket is the last bucket that any time lies in. Only rescind.End is beyond.
var maxBucket = uint64(rescind.BucketOf(math.MaxInt64))

func (r *reader) bound() rescind.Bound {
	bucket := r.uvarint()
	length := int(r.byte())
	r.failed = r.failed || bucket > maxBucket && bucket != uint64(rescind.End.Bucket) || length > 16
	significant := r.take(length)
	if r.failed || length > 0 && significant[length-1] == 0 {
		r.failed = true
		return rescind.Bound{}
	}
	var digest [16]byte
	copy(digest[:], significant)
	return rescind.Bound{Bucket: rescind.Bucket(bucket), Digest: rescind.DigestOf(digest[:])}
}

func (r *reader) uint64() uint64 {
	if p := r.take(8); p != nil {
		return binary.BigEndian.Uint64(p)
	}
	return 0
}

func (*Supply) kind() byte { return kindSupply }

func (m *Supply) append(b []byte) []byte { return appendRecords(b, m.Records) }

func (m *Supply) read(r *reader) { m.Records = r.records() }
