package onetime

import (
	"cmp"
	"testing"
	"time"
)

const deadline = 60 * time.Second

// openStore opens a client of url, with three replicas.
func openStore(t testing.TB, url string, buckets, replicas int) *Store {
	t.Helper()
	s, err := Open(Config{Cluster: "test", URL: url, Buckets: buckets, Replicas: cmp.Or(replicas, 1), DangerouslyAssumeSync: true, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}
