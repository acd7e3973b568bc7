package store

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"rescind"
)

// BenchmarkCommit measures commits of one record, each durable when it returns.
// The floor is what the disk asks for: a write of as many bytes and an fsync.
func BenchmarkCommit(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s, err := Open(b.TempDir(), Options{Logger: quiet})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			commitFrom(b, s, writers)
			st := s.Stats()
			b.ReportMetric(float64(st.Commits)/float64(st.Syncs.Count()), "commits/sync")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
	b.Run("floor=append+fsync", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "log"))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		line := make([]byte, 85) // a commit in Pebble's log
		for b.Loop() {
			if _, err := f.Write(line); err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
	})
}

func commitFrom(b *testing.B, s *Store, writers int) {
	done := make(chan error, writers)
	var next atomic.Int64
	b.ResetTimer()
	for range writers {
		go func() {
			var err error
			for i := next.Add(1); i <= int64(b.N) && err == nil; i = next.Add(1) {
				err = s.Commit(Batch{Records: []rescind.Record{record(uint64(i), far)}, Own: uint64(i)})
			}
			done <- err
		}()
	}
	for range writers {
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
	b.StopTimer()
}

// BenchmarkLoad measures the start of a node, per record.
func BenchmarkLoad(b *testing.B) {
	s, err := Open(b.TempDir(), Options{Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const records = 200_000
	for i := range uint64(records / 2000) {
		commit(b, s, many(i*0x9E3779B9))
	}
	if err := s.db.Flush(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		n := 0
		if _, err := s.Load(0, func(rescind.Record) { n++ }); err != nil || n != records {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/records, "ns/record")
}
