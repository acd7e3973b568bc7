package ssf

import (
	"fmt"
	"testing"
)

// TestAQueueShowsOnlyWhatItHasCounted: the log has an entry a little earlier.
func TestAQueueShowsOnlyWhatItHasCounted(t *testing.T) {
	log := newMemLog()
	q, err := openQueue(log, "a", 1000)
	if err != nil {
		t.Fatal(err)
	}
	entries := []LogEntry{{"a", 1, []byte("one")}, {"a", 2, []byte("two")}}
	for i, e := range entries {
		if err := log.Append([]LogEntry{e}); err != nil {
			t.Fatal(err)
		}
		if all, err := q.from(0, 9, 1000); err != nil || len(all) != i {
			t.Errorf("%d entries of %d counted, %v", len(all), i, err)
		}
		if _, err := q.added([]LogEntry{e}); err != nil {
			t.Fatal(err)
		}
	}
	if all, _ := q.from(0, 9, 4); len(all) != 1 {
		t.Errorf("%d entries of 4 bytes together", len(all))
	}
	if all, _ := q.from(2, 9, 0); len(all) != 1 || all[0].seq != 2 {
		t.Errorf("%v: at least one", all)
	}
	if n, err := q.remove(1, 1, 7); n != 1 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
	if count, bytes, _ := q.size(); count != 1 || bytes != 3 {
		t.Errorf("%d entries of %d bytes", count, bytes)
	}
	if n, _ := q.remove(2); n != 1 || q.first != q.next {
		t.Errorf("removed %d, the first is %d of %d", n, q.first, q.next)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	var m memory
	for i := range 3 * memorySize {
		if s := fmt.Sprint(i); !m.first(s) || m.first(s) {
			t.Fatalf("%d is not remembered", i)
		}
	}
	if len(m.seen) != memorySize || !m.first("0") || m.first(fmt.Sprint(3*memorySize-1)) {
		t.Errorf("%d remembered", len(m.seen))
	}
}
