package sharedlog

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"rescind"
	"rescind/internal/store"
	"rescind/internal/store/storetest"
)

// disk is the other store, for comparison.
type disk struct{ *store.Store }

func (d disk) Commit(_ context.Context, b store.Batch) error { return d.Store.Commit(b) }

type committer interface {
	Commit(context.Context, store.Batch) error
}

func commitTo(b *testing.B, s committer, batch store.Batch) {
	b.Helper()
	if err := s.Commit(b.Context(), batch); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCommit commits groups of so many records, as one node does: a commit
// is under way, and what arrives meanwhile makes up the next. Both stores lie in
// the same file system, and each commit is synced when it returns.
func BenchmarkCommit(b *testing.B) {
	for _, group := range []int{1, 100, 10_000} {
		for name, open := range map[string]func(testing.TB) committer{
			"disk": func(t testing.TB) committer {
				s, err := store.Open(t.TempDir(), store.Options{Logger: quiet})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { s.Close() })
				return disk{s}
			},
			"jetstream": func(t testing.TB) committer {
				cfg := config(newProcess(t, storeDir(t)).url())
				cfg.MaxBytes = 4 << 30
				l, _ := loaded(t, cfg)
				return l
			},
		} {
			b.Run(fmt.Sprintf("group=%d/%s", group, name), func(b *testing.B) {
				s := open(b)
				n := uint64(0)
				for b.Loop() {
					batch := store.Batch{Records: make([]rescind.Record, group)}
					for i := range batch.Records {
						batch.Records[i] = storetest.Record(n, storetest.Far)
						n++
					}
					batch.Own = n
					commitTo(b, s, batch)
				}
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "revocations/s")
			})
		}
	}
}

// BenchmarkServerMemory measures by how much a server grows with the number of
// revocations, committed in groups, and how long it takes a node to read them.
func BenchmarkServerMemory(b *testing.B) {
	const records = 1_000_000
	for _, group := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("group=%d", group), func(b *testing.B) {
			p := newProcess(b, storeDir(b))
			cfg := config(p.url())
			cfg.MaxBytes = 4 << 30
			l, _ := loaded(b, cfg)
			before := resident(b, p.cmd.Process.Pid)
			total := min(records, group*20_000)
			for n := 0; n < total; n += group {
				batch := store.Batch{Records: make([]rescind.Record, group)}
				for i := range batch.Records {
					// Lifetimes of up to 30 days.
					expires := storetest.Far + rescind.Millis((n+i)%(30*24))*3_600_000
					if group > 1 {
						expires = storetest.Far + rescind.Millis(n/group%(30*24))*3_600_000
					}
					batch.Records[i] = storetest.Record(uint64(n+i), expires)
				}
				commitTo(b, l, batch)
			}
			grown := resident(b, p.cmd.Process.Pid) - before
			info, err := admin(b, p.url()).Stream(b.Context(), l.cfg.Stream)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				again := openLog(b, cfg)
				n := 0
				if _, err := again.Load(b.Context(), 0, func(rescind.Record) { n++ }); err != nil || n != total {
					b.Fatal(n, err)
				}
				again.Close()
			}
			b.ReportMetric(float64(grown)/float64(total), "server-B/revocation")
			b.ReportMetric(float64(info.CachedInfo().State.Bytes)/float64(total), "stream-B/revocation")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(total), "load-ns/revocation")
		})
	}
}

// resident returns the resident set of a process in bytes.
func resident(t testing.TB, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("no /proc:", err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
