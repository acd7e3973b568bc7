package ssf

import (
	"context"
	"testing"
	"time"
	"unsafe"

	"rescind"
)

// TestBorrowedAnnouncement: an announcement waits, and what the caller's strings
// lay in may hold something else by then.
func TestBorrowedAnnouncement(t *testing.T) {
	lend := func(s string) (string, []byte) {
		b := []byte(s)
		return unsafe.String(&b[0], len(b)), b
	}
	for _, scope := range []rescind.Scope{rescind.ScopeSub, rescind.ScopeSID} {
		tx := &Transmitter{wake: make(chan struct{}, 1), ctx: context.Background()} // nothing is taken from pending
		id, b1 := lend("alice")
		iss, b2 := lend("https://idp.example")
		txn, b3 := lend("txn-1")
		from, b4 := lend("https://who.example")
		tx.Announce(rescind.Revocation{Key: rescind.Key{Scope: scope, Issuer: iss, ID: id}},
			rescind.Receipt{ExpiresAt: rescind.MillisOf(time.Now().Add(time.Hour))}, Origin{Issuer: from, Txn: txn})
		for _, b := range [][]byte{b1, b2, b3, b4} {
			clear(b)
		}
		a := tx.pending[0]
		want := subjectOf(rescind.Key{Scope: scope, Issuer: "https://idp.example", ID: "alice"})
		same := a.Subject.Sub == want.Sub && a.Subject.Iss == want.Iss
		if scope == rescind.ScopeSID {
			same = a.Subject.Session.ID == "alice" && a.Subject.Tenant.URI == "https://idp.example"
		}
		if !same || a.rev.ID != "alice" || a.rev.Issuer != "https://idp.example" || a.Txn != "txn-1" || a.from.Issuer != "https://who.example" {
			t.Errorf("%s: %+v, %+v, %+v", scope, a.Subject, a.rev, a.from)
		}
	}
	tx := &Transmitter{wake: make(chan struct{}, 1), ctx: context.Background(), outlets: []*outlet{{Receiver: pollBy("name")}}}
	name, b1 := lend("name")
	state, b2 := lend("state")
	self, b3 := lend("https://us.example")
	tx.SetIdentity(self, plain{})
	if err := tx.Verify(name, state); err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{b1, b2, b3} {
		clear(b)
	}
	if a := tx.pending[0]; a.Subject.ID != "name" || a.Payload["state"] != "state" || tx.Issuer() != "https://us.example" {
		t.Errorf("%+v, %v, as %q", a.Subject, a.Payload, tx.Issuer())
	}
}
