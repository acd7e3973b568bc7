package sharedlog

import (
	"testing"

	"rescind"
	"rescind/internal/store"
	"rescind/internal/store/storetest"
)

// TestHeldIsNotAhead: whoever is told of a position may acknowledge it, so the
// records that it stands for are in force by then.
func TestHeldIsNotAhead(t *testing.T) {
	p := newProcess(t, storeDir(t))
	writer, _ := loaded(t, config(p.url()))
	follow(t, writer, func(rescind.Record) {}, func() {})
	reader, _ := loaded(t, config(p.url()))
	bad := make(chan store.Position, 100)
	merged := uint64(0)
	follow(t, reader, func(r rescind.Record) {
		positions, _ := reader.Held() // as cluster's loop may at this moment
		if at := positions[writer.Identity().Origin]; at.Seq > merged {
			select {
			case bad <- at:
			default:
			}
		}
		merged++
	}, func() {})
	await(t, "writer known", func() bool { p, _ := reader.Held(); _, ok := p[writer.Identity().Origin]; return ok })
	var b store.Batch
	for n := range uint64(1000) {
		b.Records = append(b.Records, storetest.Record(n, storetest.Far))
	}
	b.Own = 1000
	storetest.Commit(t, writer, b)
	await(t, "held", func() bool { p, _ := reader.Held(); return p[writer.Identity().Origin].Seq == 1000 })
	select {
	case at := <-bad:
		t.Errorf("Held says %+v before those records were merged", at)
	default:
	}
}
