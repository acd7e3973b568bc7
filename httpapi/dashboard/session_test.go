package dashboard

import (
	"fmt"
	"testing"
	"time"
)

func TestSessionsEnd(t *testing.T) {
	var s sessions
	start := time.Unix(1_800_000_000, 0)
	id := s.open(operator("ada"), start)
	if o, ok := s.find(id, start.Add(time.Minute), true); !ok || o.Name != "ada" {
		t.Fatalf("found %v, %v", o, ok)
	}
	for _, other := range []string{"", id + "x", id[:len(id)-1]} {
		if _, ok := s.find(other, start, true); ok {
			t.Errorf("%q opens a session", other)
		}
	}
	now := start
	for now.Sub(start) < hardTimeout-idleTimeout {
		now = now.Add(idleTimeout)
		if _, ok := s.find(id, now, true); !ok {
			t.Fatalf("it ended after %v although it was in use", now.Sub(start))
		}
	}
	if _, ok := s.find(id, start.Add(hardTimeout+1), true); ok {
		t.Error("it outlives the hard time-out")
	}
	id = s.open(operator("ada"), start)
	for at := time.Minute; at < idleTimeout; at += time.Minute { // a page that is merely open
		if _, ok := s.find(id, start.Add(at), false); !ok {
			t.Fatal("it ended too early")
		}
	}
	if _, ok := s.find(id, start.Add(idleTimeout+1), false); ok {
		t.Error("a page that is merely open keeps a session")
	}
	if len(s.byID) != 0 {
		t.Errorf("%d are left", len(s.byID))
	}
}

func TestSessionsAreBounded(t *testing.T) {
	var s sessions
	start := time.Unix(1_800_000_000, 0)
	var ids []string
	for i := range maxSessions + 3 {
		ids = append(ids, s.open(operator(fmt.Sprint(i)), start.Add(time.Duration(i))))
	}
	for i, id := range ids {
		if _, ok := s.find(id, start.Add(time.Second), true); ok != (i >= 3) {
			t.Errorf("session %d of %d: %v", i, len(ids), ok)
		}
	}
}

func TestWhatIsThisMachine(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:8080": true, "127.0.0.1": true, "127.9.9.9:1": true, "[::1]:8080": true, "[::1]": true,
		"": false, "localhost.evil.example": false, "127.0.0.1.evil.example:80": false, "10.0.0.1:8080": false, "[::2]": false, "0.0.0.0": false,
	} {
		if got := loopback(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}
