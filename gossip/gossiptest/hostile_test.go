package gossiptest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"rescind"
	"rescind/filter"
	"rescind/gossip"
	"rescind/internal/identity"
)

// victim is a node of which messages are made that no honest member sends. It does
// what package cluster does with what the core orders.
type victim struct {
	core *gossip.Core
	set  *filter.Set
	now  time.Duration
	wall rescind.Millis
}

const victimOrigin = gossip.Origin(77)

func newVictim() *victim {
	v := &victim{set: filter.New(filter.Options{}), now: time.Hour, wall: 1_790_000_000_000}
	v.core = gossip.New(gossip.Config{Origin: victimOrigin, Epoch: 5, Name: "victim", ForgetAfter: time.Hour}, v.now, v.wall)
	for i := range 500 { // in few buckets, so that ranges begin and end amid records
		r := rescind.Record{
			Digest:       rescind.MakeDigest(rescind.ScopeJTI, uint64(i)*0x9e3779b97f4a7c15, uint64(i)<<32),
			IssuedBefore: rescind.Ever, ExpiresAt: v.wall + rescind.Millis(i%7)*600_000,
		}
		v.set.Merge(r)
		v.core.Propose([]rescind.Record{r})
	}
	v.core.Tick(v.now, v.wall)
	v.work()
	return v
}

// take steps one message and does what follows from it.
func (v *victim) take(m gossip.Message) {
	v.core.Step(v.now, m)
	v.now += time.Millisecond
	v.core.Tick(v.now, v.wall)
	v.work()
}

func (v *victim) work() {
	r := v.core.Ready(v.now)
	for _, s := range r.Scans {
		records, next, done := v.set.Scan(s.Cursor, 64)
		v.core.Scanned(s, records, next, done)
	}
	for _, c := range r.Compares {
		v.core.Compared(v.now, c, c.Against(v.set, rescind.FirstUnswept(v.wall, gossip.CompareSpan)))
	}
	for _, out := range r.Send {
		out.Message.Append(nil)
	}
	if r.Commit != nil {
		v.core.Advance()
	}
}

// ends fails if f does not return. Whatever is stuck can't be stopped, so this
// ends the test run.
func ends(what func() string, f func()) {
	watchdog := time.AfterFunc(30*time.Second, func() { panic("this is never done with: " + what()) })
	defer watchdog.Stop()
	f()
}

// extremes are numbers with which loops and sums go wrong.
var extremes = []uint64{
	0, 1, 2, 5, 500, 501, 1 << 16, math.MaxUint32, 1 << 40, 2_983_333, 2_983_334, uint64(rescind.BucketOf(math.MaxInt64)),
	math.MaxInt64 - 1, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64 - 1, math.MaxUint64,
}

// strange fills a message, of whatever kind, with extremes.
func strange(rng *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Uint64:
		v.SetUint(extremes[rng.IntN(len(extremes))])
	case reflect.Int64:
		v.SetInt(int64(extremes[rng.IntN(len(extremes))]))
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.String:
		v.SetString("who"[:rng.IntN(4)])
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rng.IntN(5), 5))
		for i := range v.Len() {
			strange(rng, v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			strange(rng, v.Index(i))
		}
	case reflect.Uint8:
		v.SetUint(rng.Uint64N(256))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				strange(rng, v.Field(i))
			}
		}
	}
	if o, ok := v.Addr().Interface().(*gossip.Origin); ok && rng.IntN(2) == 0 {
		*o = []gossip.Origin{origin(0), origin(1), origin(2), victimOrigin}[rng.IntN(4)]
	}
	if r, ok := v.Addr().Interface().(*rescind.Record); ok && rng.IntN(4) > 0 {
		r.Digest = rescind.MakeDigest(rescind.ScopeSID, r.Digest.Hi, r.Digest.Lo) // else it is refused nearly always
		r.IssuedBefore, r.ExpiresAt = max(r.IssuedBefore, 0), max(r.ExpiresAt, 0)
	}
}

// unseen takes any signature: what is in a message is to be tried, and fuzzers sign
// nothing.
func unseen([identity.PublicSize]byte, []byte, [identity.SigSize]byte) bool { return true }

// signedAs makes m the word of the i-th member, as far as unseen looks.
func signedAs(m gossip.Message, i int) gossip.Message {
	m.From, m.Proof = origin(i), &gossip.Proof{Public: keyOf(i, 0).Public()}
	return m
}

// bodies has one of each kind.
var bodies = []gossip.Body{
	new(gossip.Batch), new(gossip.Beat), new(gossip.Ack), new(gossip.RangeRequest), new(gossip.RangeReply),
	new(gossip.StateRequest), new(gossip.StateReply), new(gossip.Leave), new(gossip.Compare), new(gossip.Supply),
}

// TestEveryMessageIsDoneWith: whatever numbers a member puts into a message, its
// handling ends, and so does the reading of the set that it asks for.
func TestEveryMessageIsDoneWith(t *testing.T) {
	taken := map[string]int{}
	for seed := range uint64(40) {
		rng, v := rand.New(rand.NewPCG(seed, 9)), newVictim()
		for range 2000 {
			body := reflect.New(reflect.TypeOf(bodies[rng.IntN(len(bodies))]).Elem())
			strange(rng, body.Elem())
			m := gossip.Message{Epoch: 1 + rng.Uint64N(3), Body: body.Interface().(gossip.Body)}
			wire := encoded(signedAs(m, rng.IntN(3)))
			decoded, err := gossip.DecodeBy(wire, unseen)
			if wire == nil || err != nil {
				continue
			}
			taken[fmt.Sprintf("%T", m.Body)]++
			ends(func() string { return fmt.Sprintf("seed %d: %x", seed, wire) }, func() { v.take(decoded) })
		}
	}
	for _, b := range bodies {
		if n := taken[fmt.Sprintf("%T", b)]; n < 20 {
			t.Errorf("only %d of %T could be decoded", n, b)
		}
	}
}

// encoded returns the wire form of m, or nil if what strange has made has none.
func encoded(m gossip.Message) (wire []byte) {
	defer func() {
		if recover() != nil {
			wire = nil
		}
	}()
	return m.Append(nil)
}

// TestCompareOfTheLastBuckets is the message with which a member kept a node's
// reader busy for ever, and a part of its set locked.
func TestCompareOfTheLastBuckets(t *testing.T) {
	part := func(from, to rescind.Bound) gossip.Message {
		p := rescind.Part{Range: rescind.Range{From: from, To: to}, Sum: rescind.Sum{Hi: 1, Lo: 2, Count: 3}}
		return gossip.Message{From: 1, Epoch: 1, Body: &gossip.Compare{Round: 1, Parts: []gossip.Part{{Part: p}}}}
	}
	last := rescind.BucketOf(math.MaxInt64)
	for _, m := range []gossip.Message{
		part(rescind.Bound{Bucket: math.MaxInt64 - 1}, rescind.End),
		part(rescind.Bound{Bucket: last + 1}, rescind.End),
	} {
		if _, err := gossip.Decode(m.Append(nil)); err == nil {
			t.Errorf("%+v is accepted: no time reaches its buckets", m.Body)
		}
		ends(func() string { return fmt.Sprintf("%+v", m.Body) }, func() { newVictim().take(m) }) // also if it were
	}
	if _, err := gossip.Decode(part(rescind.Bound{Bucket: last}, rescind.End).Append(nil)); err != nil {
		t.Errorf("the last bucket of all: %v", err)
	}
	twice := part(rescind.Bound{}, rescind.End)
	b := twice.Body.(*gossip.Compare)
	b.Parts = append(b.Parts, b.Parts[0])
	if _, err := gossip.Decode(twice.Append(nil)); err == nil {
		t.Error("parts that overlap are accepted: the set would be read once for each")
	}
}

// FuzzEveryMessageIsDoneWith is the same with whatever bytes the fuzzer finds.
func FuzzEveryMessageIsDoneWith(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 9))
	for range 20 * len(bodies) {
		body := reflect.New(reflect.TypeOf(bodies[rng.IntN(len(bodies))]).Elem())
		strange(rng, body.Elem())
		m := gossip.Message{Epoch: 1, Body: body.Interface().(gossip.Body)}
		if wire := encoded(signedAs(m, 0)); wire != nil {
			f.Add(wire)
		}
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		if m, err := gossip.DecodeBy(wire, unseen); err == nil {
			ends(func() string { return fmt.Sprintf("%x", wire) }, func() { newVictim().take(m) })
		}
	})
}
