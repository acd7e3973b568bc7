package gossip

import (
	"testing"
	"time"
)

// TestNoMemberIsNameless: of a member that is known from the disk, or by hearsay, and
// has not said its name, people are told the origin.
func TestNoMemberIsNameless(t *testing.T) {
	c := New(Config{Origin: 1, Epoch: 9, ForgetAfter: time.Hour, Frontiers: map[Origin]Position{2: {5, 3}}}, 0, 0)
	c.Step(0, Message{From: 3, Epoch: 4, Body: &Beat{N: 1, Name: "n3", Views: []View{{Origin: 4, At: Position{7, 1}, Based: true}}}})
	names := map[Origin]string{}
	for _, m := range c.Members(0) {
		names[m.Origin] = m.Name
	}
	for o, want := range map[Origin]string{2: Origin(2).String(), 3: "n3", 4: Origin(4).String()} {
		if names[o] != want {
			t.Errorf("the member with the origin %v is called %q, want %q", o, names[o], want)
		}
	}
}
