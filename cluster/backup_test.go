package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"rescind"
	"rescind/internal/backup"
)

// backedUp returns a backup of a node and how many revocations are in it.
func backedUp(t *testing.T, n *Node) ([]byte, int) {
	t.Helper()
	var file bytes.Buffer
	records, err := n.Backup(t.Context(), &file)
	if err != nil {
		t.Fatal(err)
	}
	return file.Bytes(), records
}

// TestRestoreIntoAnEmptyFolder: a new node has all of a backup, durably, and is
// not the node that it was taken of.
func TestRestoreIntoAnEmptyFolder(t *testing.T) {
	old := newRig(t, 1, false, false)
	for i := range 500 {
		old.revoke(0, fmt.Sprint("token", i), rescind.AckLocal)
	}
	mustConsume(t, old.nodes[0], oneTimeToken("ticket"), rescind.Available)
	file, records := backedUp(t, old.nodes[0])
	if records != 501 {
		t.Errorf("%d records in the backup", records)
	}

	r := newRig(t, 1, false, false)
	for range 2 { // once more changes nothing
		done, err := r.nodes[0].Restore(t.Context(), bytes.NewReader(file))
		if err != nil || done.Records != 501 || done.Lapsed != 0 || time.Since(done.Taken) > time.Minute {
			t.Fatalf("%+v, %v", done, err)
		}
	}
	check := func(n *Node) {
		t.Helper()
		for i := range 500 {
			if v := n.Check(rescind.Token{Issuer: iss, ID: fmt.Sprint("token", i)}); v != rescind.Revoked {
				t.Fatalf("token %d is %v", i, v)
			}
		}
		refuses(t, n, oneTimeToken("ticket"), rescind.Available, rescind.ErrConsumed)
		if n.Status().Total != 501 || n.Status().Origin == old.nodes[0].Status().Origin {
			t.Errorf("%d revocations; origin %s", n.Status().Total, n.Status().Origin)
		}
	}
	check(r.nodes[0])
	r.stop(0)
	again := r.start(0)
	await(t, "ready", func() bool { return again.ready.Load() })
	check(again)
}

// TestRestoreSpreads: a backup that goes into one node of a running cluster is in
// force on all, and undoes nothing.
func TestRestoreSpreads(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, true, false)
	r.revoke(0, "old", rescind.AckAll)
	file, _ := backedUp(t, r.nodes[1])
	other := newRig(t, 2, true, false)
	other.revoke(0, "new", rescind.AckAll)
	if _, err := other.nodes[0].Restore(t.Context(), bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	other.refused("old")
	other.refused("new")
}

func TestRestoreRefuses(t *testing.T) {
	r := newRig(t, 1, false, false)
	for i := range 5 {
		r.revoke(0, fmt.Sprint("token", i), rescind.AckLocal)
	}
	file, _ := backedUp(t, r.nodes[0])
	forged := bytes.Clone(file)
	forged[len(forged)-3] ^= 1
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"cut off":  {file[:len(file)-10], backup.ErrTruncated},
		"forged":   {forged, backup.ErrForged},
		"no file":  {[]byte("hello"), backup.ErrFormat},
		"no bytes": {nil, backup.ErrFormat},
	} {
		if _, err := r.nodes[0].Restore(t.Context(), bytes.NewReader(c.file)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Config){
		"another key":  func(c *Config) { c.Key = bytes.Repeat([]byte{1}, 32) },
		"another name": func(c *Config) { c.Cluster = "other" },
	} {
		other := newRigWith(t, 1, false, false, change)
		if _, err := other.nodes[0].Restore(t.Context(), bytes.NewReader(file)); !errors.Is(err, backup.ErrOtherCluster) || other.nodes[0].Status().Total != 0 {
			t.Errorf("%s: %v, %d revocations", name, err, other.nodes[0].Status().Total)
		}
	}
	small := newRigWith(t, 1, false, false, func(c *Config) { c.MaxRevocations = 3 })
	if _, err := small.nodes[0].Restore(t.Context(), bytes.NewReader(file)); !errors.Is(err, rescind.ErrFull) {
		t.Errorf("beyond the limit: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.nodes[0].Backup(ctx, &bytes.Buffer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a backup that is called off: %v", err)
	}
	r.nodes[0].Close()
	if _, err := r.nodes[0].Restore(t.Context(), bytes.NewReader(file)); !errors.Is(err, rescind.ErrClosed) {
		t.Errorf("into a closed node: %v", err)
	}
}

// TestBackupWhileRevoking: what was acknowledged before a backup begins is in it,
// whatever comes meanwhile.
func TestBackupWhileRevoking(t *testing.T) {
	r := newRig(t, 1, false, false)
	ctx, stop := context.WithCancel(t.Context())
	acked := make(chan int, 1)
	go func() {
		n := 0
		for ctx.Err() == nil {
			if _, err := r.nodes[0].Revoke(ctx, rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: fmt.Sprint("token", n)}}, rescind.AckLocal); err == nil {
				n++
			}
		}
		acked <- n
	}()
	await(t, "some revocations", func() bool { return r.nodes[0].Status().Total > 200 })
	before := r.nodes[0].Status().Counters.Commits
	var files [][]byte
	var least []int
	for r.nodes[0].Status().Counters.Commits < before+20 {
		least = append(least, int(r.nodes[0].view.Load().durable))
		file, _ := backedUp(t, r.nodes[0])
		files = append(files, file)
	}
	stop()
	<-acked
	fresh := newRig(t, 1, false, false)
	for i, file := range files[len(files)-1:] {
		if _, err := fresh.nodes[0].Restore(t.Context(), bytes.NewReader(file)); err != nil {
			t.Fatal(err)
		}
		for n := range least[len(files)-1+i] {
			if v := fresh.nodes[0].Check(rescind.Token{Issuer: iss, ID: fmt.Sprint("token", n)}); v != rescind.Revoked {
				t.Fatalf("token %d of %d is %v", n, least[len(files)-1], v)
			}
		}
	}
}
