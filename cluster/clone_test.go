package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rescind/internal/store"
)

// TestClonedFolderDoesNotFlap: of two processes that run from copies of one folder, the one
// that was superseded does not open it again, however often it is started, and the other
// goes on.
func TestClonedFolderDoesNotFlap(t *testing.T) {
	dir, copied := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	start := func(dir, join string) (*Node, error) {
		g := &Gossip{Bind: "127.0.0.1:0"}
		if join != "" {
			g.Join = []string{join}
		}
		return Start(Config{Name: "n1", DataDir: dir, Gossip: g, JoinTimeout: time.Second})
	}
	first, err := start(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if first, err = start(dir, ""); err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := start(copied, first.GossipAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	select {
	case <-first.Failed():
	case <-time.After(20 * time.Second):
		t.Fatal("the first process goes on")
	}
	if err := first.Close(); err != nil {
		t.Log(err)
	}
	for range 3 {
		again, err := start(dir, second.GossipAddr())
		if !errors.Is(err, store.ErrSuperseded) {
			t.Fatalf("started again: %v, %v", again != nil, err)
		}
	}
	if err := second.Err(); err != nil {
		t.Errorf("the second process ended: %v", err)
	}
}
