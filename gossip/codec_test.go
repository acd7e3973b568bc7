package gossip

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"rescind"
	"rescind/internal/identity"
)

// examples holds one message of each kind.
func examples() []Message {
	records := []rescind.Record{
		{Digest: rescind.MakeDigest(rescind.ScopeJTI, 1, 2<<8), IssuedBefore: rescind.Ever, ExpiresAt: 3},
		{Digest: rescind.MakeDigest(rescind.ScopeSub, 4, 5<<8), IssuedBefore: 6, ExpiresAt: 7},
	}
	views := []View{
		{Origin: 1, At: Position{2, 3}, Past: Position{1, 9}, Based: true, Echo: 4, Age: 5 * time.Millisecond},
		{Origin: 6, Left: true},
	}
	d := records[0].Digest
	from, middle, to := rescind.Bound{Bucket: 2_980_000}, rescind.Bound{Bucket: 2_980_000, Digest: rescind.Digest{Hi: 0x1200 << 48}}, rescind.PlaceOf(records[0])
	to.Bucket = 2_980_001
	beyond := rescind.Bound{Bucket: 2_980_005}
	return signedBy(identity.Of([32]byte{1}),
		Message{From: 1, Epoch: 2, Clock: 1_790_000_000_000, Body: &Batch{First: 3, Head: 4, Records: records}},
		Message{From: 1, Epoch: 2, Clock: 1_790_000_000_000, Body: &Beat{N: 1, Name: "node1", Head: 300, Synced: true, Previous: Position{1, 2}, Clock: 1_790_000_000_000, Views: views}},
		Message{From: 1, Epoch: 2, Clock: 1_790_000_000_000, Body: &Ack{At: Position{3, 4}}},
		Message{From: 1, Epoch: 2, Clock: 1_790_000_000_000, Body: &RangeRequest{Origin: 3, Epoch: 4, From: 5, To: 6}},
		Message{From: 1, Epoch: 2, Clock: 1_790_000_000_000, Body: &RangeReply{Origin: 3, Epoch: 4, From: 5, Gone: true, Records: records[:0]}},
		Message{From: 1, Epoch: 2, Clock: 1_790_000_000_000, Body: &RangeReply{Origin: 3, Epoch: 4, From: 5, Records: records}},
		Message{From: 1, Epoch: 2, Clock: 1_790_000_000_000, Body: &StateRequest{Cursor: d, Most: 8192}},
		Message{From: 1, Epoch: 2, Clock: 1_790_000_000_000, Body: &StateReply{Cursor: d, Next: records[1].Digest, Views: views, Records: records}},
		Message{From: 1, Epoch: 2, Clock: 1_790_000_000_000, Body: &Leave{Head: 5}},
		Message{From: 1, Epoch: 2, Clock: 1_790_000_000_000, Body: &Compare{Round: 3, Hop: 4, Cut: true, Most: 16}},
		Message{From: 1, Epoch: 2, Clock: 1_790_000_000_000, Body: &Compare{Round: 3, Parts: []Part{
			{Part: rescind.Part{Range: rescind.Range{From: from, To: middle}, Sum: rescind.Sum{Hi: 1, Lo: 2, Count: 300}}},
			{Part: rescind.Part{Range: rescind.Range{From: middle, To: to}}, Listed: true, Records: records},
			{Part: rescind.Part{Range: rescind.Range{From: beyond, To: rescind.End}}, Listed: true, Records: records[:0]},
		}}},
		Message{From: 1, Epoch: 2, Clock: 1_790_000_000_000, Body: &Supply{Records: records}},
		Message{From: 1, Epoch: 2, Clock: 1_790_000_000_000, Body: &Full{Limit: 64}},
	)
}

// signedBy makes those of the messages that are signed the word of a key's owner.
func signedBy(key identity.Key, messages ...Message) []Message {
	for i := range messages {
		if m := &messages[i]; isSigned(m.Body) {
			m.From = Origin(key.Origin())
			m.Sign(key)
		}
	}
	return messages
}

// TestOnlyItsOriginSpeaks: a heartbeat or a leave is refused unless the key that its
// sender is the hash of has signed it, and it has not been changed since.
func TestOnlyItsOriginSpeaks(t *testing.T) {
	n3, rogue := identity.Of([32]byte{3}), identity.Of([32]byte{9})
	for _, body := range []Body{&Leave{Head: 5}, &Beat{N: 1, Name: "n3", Head: 5}} {
		m := Message{From: Origin(n3.Origin()), Epoch: 1 << 60, Clock: 1_790_000_000_000, Body: body}
		if _, err := Decode(m.Append(nil)); !errors.Is(err, ErrUnsigned) {
			t.Errorf("%T without a signature: %v", body, err)
		}
		m.Sign(rogue)
		if _, err := Decode(m.Append(nil)); !errors.Is(err, ErrUnsigned) {
			t.Errorf("%T in n3's name, signed by another: %v", body, err)
		}
		m.Proof.Public = n3.Public()
		if _, err := Decode(m.Append(nil)); !errors.Is(err, ErrUnsigned) {
			t.Errorf("%T in n3's name, with n3's key and another's signature: %v", body, err)
		}
		m.Sign(n3)
		b := m.Append(nil)
		if _, err := Decode(b); err != nil {
			t.Errorf("%T of n3: %v", body, err)
		}
		for i := 10; i < len(b); i++ { // from the epoch on
			changed := bytes.Clone(b)
			changed[i] ^= 1
			if got, err := Decode(changed); err == nil {
				t.Errorf("%T with byte %d changed is accepted: %+v", body, i, got.Body)
			}
		}
	}
}

func TestMessagesSurviveTheWire(t *testing.T) {
	for _, m := range examples() {
		got, err := Decode(m.Append(nil))
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%T %+v comes back as %+v, %v", m.Body, m.Body, got.Body, err)
		}
	}
}

func TestDamagedMessagesAreRefused(t *testing.T) {
	for _, m := range examples() {
		b := m.Append(nil)
		for n := range b {
			if _, err := Decode(b[:n]); err == nil {
				t.Errorf("%T cut to %d of %d bytes is accepted", m.Body, n, len(b))
			}
		}
		if _, err := Decode(append(b, 0)); err == nil {
			t.Errorf("%T with a byte too many is accepted", m.Body)
		}
	}
	other := examples()[0].Append(nil)
	other[0] = version + 1
	if _, err := Decode(other); !errors.Is(err, ErrVersion) {
		t.Errorf("a message of another version: %v", err)
	}
}

// FuzzDecode: nothing panics, a huge length allocates nothing, and whatever is
// accepted has one form only.
func FuzzDecode(f *testing.F) {
	for _, m := range examples() {
		f.Add(m.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err == nil && !bytes.Equal(m.Append(nil), b) {
			t.Errorf("%x is accepted and written as %x", b, m.Append(nil))
		}
	})
}

// TestStreamModel compares stream with a plain set: whatever arrives in
// whatever order, each record is handed out once, the frontier never passes a
// hole, and everything up to it is remembered.
func TestStreamModel(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		all := make([]rescind.Record, 200)
		for i := range all {
			all[i].Digest = rescind.MakeDigest(rescind.ScopeJTI, uint64(i)+1, 0)
		}
		var s stream
		seen := map[uint64]bool{}
		for range 150 {
			first := 1 + rng.Uint64N(uint64(len(all)))
			n := min(1+rng.Uint64N(20), uint64(len(all))-first+1)
			fresh := s.add(first, all[first-1:first-1+n])
			for i := first; i < first+n; i++ {
				if !seen[i] {
					if len(fresh) == 0 || fresh[0] != all[i-1] {
						t.Fatalf("seed %d: record %d is not handed out", seed, i)
					}
					fresh = fresh[1:]
				}
				seen[i] = true
			}
			if len(fresh) != 0 {
				t.Fatalf("seed %d: %d records are handed out twice", seed, len(fresh))
			}
			frontier := uint64(0)
			for seen[frontier+1] {
				frontier++
			}
			if s.received != frontier {
				t.Fatalf("seed %d: frontier %d, want %d", seed, s.received, frontier)
			}
			if from, _, missing := s.gap(); missing && seen[from] {
				t.Fatalf("seed %d: record %d is said to be missing", seed, from)
			}
			if frontier > 0 {
				got, ok := s.slice(1, frontier)
				if !ok || !reflect.DeepEqual(got, all[:frontier]) {
					t.Fatalf("seed %d: the log does not hold 1 to %d", seed, frontier)
				}
			}
		}
	}
}
