package gossip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"rescind"
	"rescind/internal/identity"
)

// version is the first byte of every message. A node drops and counts messages
// of a version that it does not know.
const version = 5

// Bounds of what one message may hold.
const (
	maxRecords = 16384 // 512 KiB of records
	maxViews   = 2048  // 1,000 members, as many that left, and a few that were forgotten
	maxName    = 255
)

// ErrVersion is returned for a message of another protocol version.
var ErrVersion = errors.New("message of an unknown protocol version")

// ErrUnsigned is returned for a message that is not signed by whom it says it is
// from.
var ErrUnsigned = errors.New("message that its sender has not signed")

var errMalformed = errors.New("malformed message")

const (
	kindBatch byte = iota + 1
	kindBeat
	kindAck
	kindRangeRequest
	kindRangeReply
	kindStateRequest
	kindStateReply
	kindLeave
	kindCompare
	kindSupply
	kindFull
)

func newBody(kind byte) Body {
	switch kind {
	case kindBatch:
		return new(Batch)
	case kindBeat:
		return new(Beat)
	case kindAck:
		return new(Ack)
	case kindRangeRequest:
		return new(RangeRequest)
	case kindRangeReply:
		return new(RangeReply)
	case kindStateRequest:
		return new(StateRequest)
	case kindStateReply:
		return new(StateReply)
	case kindLeave:
		return new(Leave)
	case kindCompare:
		return new(Compare)
	case kindSupply:
		return new(Supply)
	case kindFull:
		return new(Full)
	default:
		return nil
	}
}

// Append appends the binary form of m to b: version, kind, sender, epoch, clock and
// the body, numbers as unsigned varints and digests and records in their fixed
// big-endian forms; and of a heartbeat and a leave the sender's public key and its
// signature over all of that.
func (m Message) Append(b []byte) []byte {
	b = m.appendSaid(b)
	if !isSigned(m.Body) {
		return b
	}
	var p Proof // of a message that was put together by hand; nobody decodes it
	if m.Proof != nil {
		p = *m.Proof
	}
	return append(append(b, p.Public[:]...), p.Sig[:]...)
}

// isSigned reports whether messages of this kind are signed: what an origin says of
// itself. Who sends records in another's name can only revoke something.
func isSigned(b Body) bool {
	switch b.(type) {
	case *Beat, *Leave:
		return true
	default:
		return false
	}
}

// signedAs sets signatures apart from those that the key might make of anything
// else.
const signedAs = "rescind gossip message"

// Sign makes m the word of the key's owner, who must be its sender.
func (m *Message) Sign(key identity.Key) {
	p := &Proof{Public: key.Public()}
	said := append(m.appendSaid([]byte(signedAs)), p.Public[:]...)
	p.Sig = key.Sign(said)
	m.Proof = p
}

// Verifier reports whether the owner of a public key has signed a message.
type Verifier func(public [identity.PublicSize]byte, msg []byte, sig [identity.SigSize]byte) bool

// proof reads the proof at the end of b, the wire form of a message from an origin.
func (r *reader) proof(b []byte, from Origin, verify Verifier) *Proof {
	p := &Proof{}
	copy(p.Public[:], r.take(len(p.Public)))
	copy(p.Sig[:], r.take(len(p.Sig)))
	if r.failed || len(r.b) != 0 || Origin(identity.OriginOf(p.Public)) != from {
		return nil
	}
	if !verify(p.Public, append([]byte(signedAs), b[:len(b)-len(p.Sig)]...), p.Sig) {
		return nil
	}
	return p
}

func (m Message) appendSaid(b []byte) []byte {
	b = append(b, version, m.Body.kind())
	b = binary.BigEndian.AppendUint64(b, uint64(m.From))
	b = binary.AppendUvarint(b, m.Epoch)
	b = binary.AppendUvarint(b, uint64(m.Clock))
	return m.Body.append(b)
}

// Decode reads one message and refuses anything that Append would not have
// written, and a heartbeat or leave that is not signed by its sender. What it
// returns shares no memory with b.
func Decode(b []byte) (Message, error) { return DecodeBy(b, identity.Verify) }

// DecodeBy is Decode with another way to verify signatures, such as one that
// remembers.
func DecodeBy(b []byte, verify Verifier) (Message, error) {
	if len(b) == 0 || b[0] != version {
		return Message{}, ErrVersion
	}
	r := &reader{b: b[1:]}
	body := newBody(r.byte())
	if body == nil {
		return Message{}, fmt.Errorf("%w: unknown kind", errMalformed)
	}
	m := Message{From: r.origin(), Epoch: r.uvarint(), Clock: rescind.Millis(r.uvarint()), Body: body}
	body.read(r)
	if isSigned(body) && !r.failed {
		m.Proof = r.proof(b, m.From, verify)
	}
	switch {
	case r.failed:
		return Message{}, errMalformed
	case len(r.b) != 0:
		return Message{}, fmt.Errorf("%w: %d bytes too many", errMalformed, len(r.b))
	case m.From == 0 || m.Epoch == 0:
		return Message{}, fmt.Errorf("%w: no sender", errMalformed)
	case m.Clock < 0 || m.Clock > maxClock:
		return Message{}, fmt.Errorf("%w: a date out of bounds", errMalformed)
	case isSigned(body) && m.Proof == nil:
		return Message{}, ErrUnsigned
	}
	return m, nil
}

// reader consumes a message. After the first failure it yields zeros.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) take(n int) []byte {
	if r.failed || len(r.b) < n {
		r.failed = true
		r.b = nil
		return nil
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) byte() byte {
	if p := r.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (r *reader) bool() bool {
	v := r.byte()
	r.failed = r.failed || v > 1
	return v == 1
}

func (r *reader) origin() Origin {
	if p := r.take(8); p != nil {
		return Origin(binary.BigEndian.Uint64(p))
	}
	return 0
}

// uvarint refuses encodings that are longer than needed, so that every message
// has one form.
func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if r.failed || n <= 0 || n > 1 && r.b[n-1] == 0 {
		r.failed = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a length that must be at most limit and must fit what is left,
// each element taking at least size bytes.
func (r *reader) count(limit, size int) int {
	v := r.uvarint()
	if v > uint64(limit) || v > uint64(len(r.b)/size) {
		r.failed = true
		return 0
	}
	return int(v)
}

func (r *reader) position() Position { return Position{Epoch: r.uvarint(), Seq: r.uvarint()} }

func (r *reader) digest() rescind.Digest {
	if p := r.take(16); p != nil {
		return rescind.DigestOf(p)
	}
	return rescind.Digest{}
}

func (r *reader) records() []rescind.Record {
	records := make([]rescind.Record, r.count(maxRecords, rescind.RecordSize))
	for i := range records {
		p := r.take(rescind.RecordSize)
		if p == nil {
			return nil
		}
		rec, err := rescind.RecordOf(p)
		r.failed = r.failed || err != nil
		records[i] = rec
	}
	return records
}

func (r *reader) views() []View {
	views := make([]View, r.count(maxViews, 15))
	for i := range views {
		views[i] = View{Origin: r.origin(), At: r.position(), Past: r.position()}
		flags := r.byte()
		r.failed = r.failed || flags > 7
		views[i].Based, views[i].Left, views[i].Counts = flags&1 != 0, flags&2 != 0, flags&4 != 0
		views[i].Echo = r.uvarint()
		age := r.uvarint()
		r.failed = r.failed || age > uint64(maxAge/time.Millisecond) || views[i].Origin == 0
		views[i].Age = time.Duration(age) * time.Millisecond
	}
	return views
}

// maxAge bounds View.Age, so that no arithmetic on it can overflow; it also
// stands for an age that nobody knows.
const (
	maxAge     = 100 * 365 * 24 * time.Hour
	ageUnknown = maxAge
)

// maxClock bounds Beat.Clock, so that no arithmetic on it can overflow.
const maxClock = rescind.Millis(maxAge / time.Millisecond)

func appendPosition(b []byte, p Position) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, p.Epoch), p.Seq)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendRecords(b []byte, records []rescind.Record) []byte {
	b = binary.AppendUvarint(b, uint64(len(records)))
	for _, r := range records {
		b = r.Append(b)
	}
	return b
}

func appendViews(b []byte, views []View) []byte {
	b = binary.AppendUvarint(b, uint64(len(views)))
	for _, v := range views {
		b = binary.BigEndian.AppendUint64(b, uint64(v.Origin))
		b = appendPosition(appendPosition(b, v.At), v.Past)
		var flags byte
		for i, is := range []bool{v.Based, v.Left, v.Counts} {
			if is {
				flags |= 1 << i
			}
		}
		b = binary.AppendUvarint(append(b, flags), v.Echo)
		b = binary.AppendUvarint(b, uint64((v.Age+time.Millisecond-1)/time.Millisecond)) // up: never younger than it is
	}
	return b
}

func (*Batch) kind() byte { return kindBatch }

func (m *Batch) append(b []byte) []byte {
	b = binary.AppendUvarint(binary.AppendUvarint(b, m.First), m.Head)
	return appendRecords(b, m.Records)
}

func (m *Batch) read(r *reader) { m.First, m.Head, m.Records = r.uvarint(), r.uvarint(), r.records() }

func (*Beat) kind() byte { return kindBeat }

func (m *Beat) append(b []byte) []byte {
	b = binary.AppendUvarint(b, m.N)
	name := m.Name[:min(len(m.Name), maxName)]
	b = append(append(b, byte(len(name))), name...)
	b = appendBool(binary.AppendUvarint(b, m.Head), m.Synced)
	b = binary.AppendUvarint(appendPosition(b, m.Previous), uint64(m.Clock))
	b = binary.BigEndian.AppendUint64(b, uint64(m.After))
	b = binary.BigEndian.AppendUint64(b, uint64(m.UpTo))
	return appendRoll(appendViews(appendBool(b, m.Living), m.Views), m.Roll)
}

func (m *Beat) read(r *reader) {
	m.N = r.uvarint()
	m.Name = string(r.take(int(r.byte())))
	m.Head, m.Synced, m.Previous = r.uvarint(), r.bool(), r.position()
	m.Clock = rescind.Millis(r.uvarint())
	r.failed = r.failed || m.Clock < 0 || m.Clock > maxClock
	m.After, m.UpTo, m.Living, m.Views = Origin(r.uint64()), Origin(r.uint64()), r.bool(), r.views()
	m.Roll = r.roll()
}

func (*Ack) kind() byte { return kindAck }

func (m *Ack) append(b []byte) []byte {
	return append(appendRoll(appendPosition(b, m.At), m.Roll), m.Tag[:]...)
}

func (m *Ack) read(r *reader) {
	m.At, m.Roll = r.position(), r.roll()
	copy(m.Tag[:], r.take(len(m.Tag)))
}

func (*RangeRequest) kind() byte { return kindRangeRequest }

func (m *RangeRequest) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(m.Origin))
	b = binary.AppendUvarint(b, m.Epoch)
	return binary.AppendUvarint(binary.AppendUvarint(b, m.From), m.To)
}

func (m *RangeRequest) read(r *reader) {
	m.Origin, m.Epoch, m.From, m.To = r.origin(), r.uvarint(), r.uvarint(), r.uvarint()
}

func (*RangeReply) kind() byte { return kindRangeReply }

func (m *RangeReply) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(m.Origin))
	b = binary.AppendUvarint(binary.AppendUvarint(b, m.Epoch), m.From)
	return appendRecords(appendBool(b, m.Gone), m.Records)
}

func (m *RangeReply) read(r *reader) {
	m.Origin, m.Epoch, m.From, m.Gone, m.Records = r.origin(), r.uvarint(), r.uvarint(), r.bool(), r.records()
}

func (*StateRequest) kind() byte { return kindStateRequest }

func (m *StateRequest) append(b []byte) []byte {
	return binary.AppendUvarint(m.Cursor.Append(b), m.Most)
}

func (m *StateRequest) read(r *reader) { m.Cursor, m.Most = r.digest(), r.uvarint() }

func (*StateReply) kind() byte { return kindStateReply }

func (m *StateReply) append(b []byte) []byte {
	b = appendBool(m.Next.Append(m.Cursor.Append(b)), m.Done)
	return appendRecords(appendViews(b, m.Views), m.Records)
}

func (m *StateReply) read(r *reader) {
	m.Cursor, m.Next, m.Done, m.Views, m.Records = r.digest(), r.digest(), r.bool(), r.views(), r.records()
}

func (*Leave) kind() byte { return kindLeave }

func (m *Leave) append(b []byte) []byte { return binary.AppendUvarint(b, m.Head) }

func (m *Leave) read(r *reader) { m.Head = r.uvarint() }

func (*Full) kind() byte { return kindFull }

func (m *Full) append(b []byte) []byte { return binary.AppendUvarint(b, m.Limit) }

func (m *Full) read(r *reader) { m.Limit = r.uvarint() }
