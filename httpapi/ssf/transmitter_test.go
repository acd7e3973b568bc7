package ssf

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestWhatWaitsSurvivesARestart, with its name.
func TestWhatWaitsSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	var log *DiskLog
	open := func() *DiskLog {
		d, err := OpenLog(dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	log = open()
	down := &pusher{t: t, answer: func(int, setClaims, *http.Request) *http.Response { return reply(503, "") }}
	tx := startTransmitter(t, log, down, nil, pushTo("a"), pollBy("b"))
	for i := range 50 {
		ended(tx, fmt.Sprint(i), Origin{})
	}
	tx.Close() // writes what is pending
	ended(tx, "too late", Origin{})
	tx.Close()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	log = open()
	defer log.Close()
	done := make(chan struct{})
	up := &pusher{t: t, answer: func(n int, _ setClaims, _ *http.Request) *http.Response {
		if n == 50 {
			close(done)
		}
		return accepted()
	}}
	tx = startTransmitter(t, log, up, nil, pushTo("a"), pollBy("b"))
	defer tx.Close()
	if s := tx.Stats()[1]; s.Queued != 50 || s.Bytes == 0 {
		t.Errorf("%+v", s)
	}
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("not delivered")
	}
	tried, _ := down.all()
	names := map[string]string{}
	got, _ := up.all()
	for _, c := range got {
		names[c.SubID.Sub] = c.Jti
	}
	if len(names) != 50 {
		t.Errorf("%d events", len(names))
	}
	for _, c := range tried {
		if names[c.SubID.Sub] != c.Jti {
			t.Errorf("%s has another jti after the restart", c.SubID.Sub)
		}
	}
	ended(tx, "new", Origin{}) // after the numbers of before
	if a := poll(t, tx, "b", `{"returnImmediately":true,"maxEvents":100}`); len(a.Sets) < 50 {
		t.Errorf("%d events wait for the one that polls", len(a.Sets))
	}
}

// TestNothingGoesRound: not back to who told it, nor in a ring of transmitters.
func TestNothingGoesRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back, other, picky := pollBy("back"), pollBy("other"), pollBy("picky")
		back.Issuer, picky.Issuers = "https://x.example", []string{"https://elsewhere.example"}
		tx := startTransmitter(t, newMemLog(), nil, nil, back, other, picky)
		defer tx.Close()
		ended(tx, "alice", Origin{Issuer: "https://x.example", Txn: "t"})
		ended(tx, "alice", Origin{Issuer: "https://y.example", Txn: "t"}) // round a ring
		ended(tx, "bob", Origin{Issuer: "https://x.example", Txn: "t"})   // of the same transaction
		ended(tx, "carol", Origin{})
		ended(tx, "carol", Origin{}) // again is no ring
		synctest.Wait()
		want := map[string][]string{"back": {"alice", "carol", "carol"}, "other": {"alice", "bob", "carol", "carol"}, "picky": nil}
		txn := ""
		for name, subs := range want {
			var got []string
			for _, raw := range poll(t, tx, name, `{"returnImmediately":true}`).Sets {
				c := plainClaims(t, raw)
				got = append(got, c.SubID.Sub)
				if c.SubID.Sub == "bob" {
					txn = c.Txn
				}
			}
			if slices.Sort(got); !slices.Equal(got, subs) {
				t.Errorf("%s is told of %q, want %q", name, got, subs)
			}
		}
		if txn != "t" {
			t.Errorf("the transaction goes on as %q", txn)
		}
	})
}

// TestTheOldestIsDropped where too much waits.
func TestTheOldestIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tx := startTransmitter(t, newMemLog(), nil, func(c *TransmitterConfig) { c.MaxBytes = 3000 }, pollBy("b"))
		defer tx.Close()
		for i := range 30 {
			ended(tx, fmt.Sprintf("%02d", i), Origin{})
			synctest.Wait()
		}
		s := tx.Stats()[0]
		if s.Bytes > 3000 || s.Bytes < 2500 || s.Dropped+uint64(s.Queued) != 30 || s.Queued < 5 {
			t.Errorf("%+v", s)
		}
		var got []string
		for _, raw := range poll(t, tx, "b", `{"returnImmediately":true}`).Sets {
			got = append(got, plainClaims(t, raw).SubID.Sub)
		}
		if slices.Sort(got); len(got) != s.Queued || got[len(got)-1] != "29" || got[0] != fmt.Sprintf("%02d", s.Dropped) {
			t.Errorf("%q stay", got)
		}
	})
}

// TestALogThatFails drops, says so, and works again afterwards.
func TestALogThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newMemLog()
		tx := startTransmitter(t, log, nil, nil, pollBy("b"))
		defer tx.Close()
		log.fail(errors.New("the disk is full"))
		ended(tx, "lost", Origin{})
		synctest.Wait()
		if _, err := tx.Poll(t.Context(), "b", []byte(`{"returnImmediately":true,"ack":["1-x"]}`)); !errors.Is(err, ErrNotServed) {
			t.Error(err)
		}
		log.fail(nil)
		ended(tx, "kept", Origin{})
		synctest.Wait()
		if a := poll(t, tx, "b", `{}`); len(a.Sets) != 1 {
			t.Errorf("%+v", a)
		}
		if s := tx.Stats()[0]; s.Dropped != 1 || s.Queued != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// TestAnnouncingNeverWaits, not even for a disk that hangs; what finds no room in
// memory is dropped and counted.
func TestAnnouncingNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := stuck{newMemLog(), make(chan struct{})}
		tx := startTransmitter(t, log, nil, nil, pollBy("b"))
		defer tx.Close()
		began := time.Now()
		const n = 3 * maxPending / 512
		for range n {
			ended(tx, "alice", Origin{})
		}
		if time.Since(began) != 0 {
			t.Error("it waited")
		}
		tx.mu.Lock()
		held := tx.held
		tx.mu.Unlock()
		if held > maxPending {
			t.Errorf("%d bytes held", held)
		}
		close(log.free)
		synctest.Wait()
		if s := tx.Stats()[0]; s.Dropped == 0 || s.Dropped+uint64(s.Queued) != n {
			t.Errorf("%+v of %d", s, n)
		}
	})
}

func TestReceiversAreValidated(t *testing.T) {
	for name, list := range map[string][]Receiver{
		"no name":            {{Audience: "a", SHA256: strings.Repeat("0", 64)}},
		"a bad name":         {{Name: "a b", Audience: "a", SHA256: strings.Repeat("0", 64)}},
		"twice":              {pollBy("a"), pollBy("a")},
		"no audience":        {{Name: "a", SHA256: strings.Repeat("0", 64)}},
		"no way":             {{Name: "a", Audience: "a"}},
		"no digest":          {{Name: "a", Audience: "a", SHA256: "00"}},
		"plain http":         {{Name: "a", Audience: "a", Push: "http://a.example"}},
		"two with one token": {{Name: "a", Audience: "a", SHA256: strings.Repeat("0", 64)}, {Name: "b", Audience: "a", SHA256: strings.Repeat("0", 64)}},
		"a token file":       {{Name: "a", Audience: "a", SHA256: strings.Repeat("0", 64), TokenFile: "f"}},
	} {
		if err := CheckReceivers(list); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := NewTransmitter(TransmitterConfig{}); err == nil {
		t.Error("an empty configuration is accepted")
	}
}
