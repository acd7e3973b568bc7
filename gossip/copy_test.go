package gossip

import (
	"testing"

	"rescind"
)

// TestCopyOfAFolderIsNoticed: signed messages of our own origin that can't be ours tell
// of another process that runs from a copy of the folder, also in the same epoch. Ours,
// late or again, don't; nor does what others say of us, or send in our name.
func TestCopyOfAFolderIsNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		m    Message
		want bool
	}{
		"a late beat of ours":      {Message{From: 2, Epoch: 20, Body: &Beat{N: 1, Head: 3}}, false},
		"a late batch of ours":     {Message{From: 2, Epoch: 20, Body: &Batch{First: 1, Head: 3}}, false},
		"of an earlier epoch":      {Message{From: 2, Epoch: 19, Body: &Beat{N: 99, Head: 99}}, false},
		"of a later epoch":         {Message{From: 2, Epoch: 21, Body: &Beat{N: 1}}, true},
		"more beats than ours":     {Message{From: 2, Epoch: 20, Body: &Beat{N: 2}}, true},
		"a batch from further on":  {Message{From: 2, Epoch: 20, Body: &Batch{First: 4, Head: 4}}, false},
		"a batch of a later epoch": {Message{From: 2, Epoch: 21, Body: &Batch{First: 1, Head: 1}}, false},
		"a later epoch has left":   {Message{From: 2, Epoch: 21, Body: &Leave{}}, true},
		"others know a later epoch": {Message{From: 1, Epoch: 5, Body: &Beat{N: 1, Views: []View{
			{Origin: 2, At: Position{1 << 62, 3}, Past: Position{1 << 61, 1}, Based: true, Left: true}}}}, false},
		"others have what we had": {Message{From: 1, Epoch: 5, Body: &Beat{N: 1, Views: []View{{Origin: 2, At: Position{20, 3}}}}}, false},
		"others have more":        {Message{From: 1, Epoch: 5, Body: &Beat{N: 1, Views: []View{{Origin: 2, At: Position{20, 4}}}}}, false},
	} {
		core := New(Config{Origin: 2, Epoch: 20}, 1, 0)
		core.Propose(make([]rescind.Record, 3))
		core.Tick(1, 0) // the first beat
		core.Step(2, c.m)
		if core.Superseded() != c.want {
			t.Errorf("%s: %v", name, core.Superseded())
		}
	}
}
