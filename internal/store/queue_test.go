package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rescind"
)

// queued reads a queue from a number on.
func queued(t testing.TB, s *Store, queue string, from uint64) (all []string) {
	t.Helper()
	err := s.ReadQueue(queue, from, func(seq uint64, value []byte) bool {
		all = append(all, fmt.Sprintf("%d=%s", seq, value))
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestQueuesSurviveACrash, and don't mix with each other or with revocations.
func TestQueuesSurviveACrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := open(t, fs)
	commit(t, s, Batch{Records: []rescind.Record{record(1, far)}})
	err := s.Enqueue([]Queued{{"a", 2, []byte("two")}, {"a", 1, []byte("one")}, {"a", 1 << 40, []byte("far")}, {"aa", 1, []byte("other")}, {"a-", 3, nil}})
	if err != nil {
		t.Fatal(err)
	}
	again := open(t, fs.CrashClone(vfs.CrashCloneCfg{}))
	for _, s := range []*Store{s, again} {
		if got := queued(t, s, "a", 0); !slices.Equal(got, []string{"1=one", "2=two", "1099511627776=far"}) {
			t.Errorf("%q", got)
		}
		if got := queued(t, s, "a", 2); len(got) != 2 {
			t.Errorf("from 2: %q", got)
		}
		if got := queued(t, s, "aa", 0); !slices.Equal(got, []string{"1=other"}) {
			t.Errorf("%q", got)
		}
		if got := load(t, s); len(got) != 1 {
			t.Errorf("%d revocations", len(got))
		}
	}
	if err := again.Dequeue([]Queued{{Queue: "a", Seq: 1}, {Queue: "a", Seq: 7}}); err != nil {
		t.Fatal(err)
	}
	if got := queued(t, again, "a", 0); len(got) != 2 {
		t.Errorf("%q", got)
	}
	n := 0
	if err := again.ReadQueue("a", 0, func(uint64, []byte) bool { n++; return false }); err != nil || n != 1 {
		t.Errorf("%d entries after the end, %v", n, err)
	}
}

func TestQueuesAreBounded(t *testing.T) {
	s := open(t, vfs.NewMem())
	for _, e := range []Queued{{"", 1, nil}, {"a b", 1, nil}, {"a\x00", 1, nil}, {strings.Repeat("a", 65), 1, nil}, {"a", 1, make([]byte, MaxQueued+1)}} {
		if err := s.Enqueue([]Queued{{"a", 1, []byte("good")}, e}); err == nil || errors.Is(err, ErrFailed) {
			t.Errorf("%.20q, %d bytes: %v", e.Queue, len(e.Value), err)
		}
	}
	if got := queued(t, s, "a", 0); len(got) != 0 {
		t.Errorf("a refused call left %q", got)
	}
	s.Close()
	if err := s.Enqueue([]Queued{{"a", 1, nil}}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := s.ReadQueue("a", 0, nil); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}
