package carrier

import (
	"net"
	"runtime"
	"sync"
	"testing"
	"time"
)

// TestAttackStrangersStreams: streams that announce 20 MiB and bring nearly all of it,
// from somebody who has no key. What they take together is bounded, and it is given
// back. They used to take 20 MiB each.
func TestAttackStrangersStreams(t *testing.T) {
	m, err := NewMemberlist(MemberlistConfig{
		Cluster: "test", Name: "a", Node: 1, Bind: "127.0.0.1:0", Keys: [][]byte{make([]byte, 32)},
		Handler: func(string, []byte) {}, MaxStreamBytes: 24 << 20, Logger: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(t.Context())
	heap := func() int64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc)
	}
	begin := append([]byte{244, 4}, "test"...)       // the label
	begin = append(begin, 10, 1, 0x40-1, 0, 0)       // encrypted, 20 MiB long
	begin = append(begin, make([]byte, 3900<<10)...) // within what one connection may bring
	before := heap()
	var sending sync.WaitGroup
	var open []net.Conn
	for range maxInbound - 4 {
		conn, err := net.Dial("tcp", m.Addr())
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, conn)
		sending.Go(func() {
			conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
			conn.Write(begin)
		})
	}
	sending.Wait()
	if took := heap() - before; took > 40<<20 {
		t.Errorf("strangers take %d MiB", took>>20)
	}
	if m.Status().Refused == 0 {
		t.Error("none was refused")
	}
	for _, conn := range open {
		conn.Close()
	}
	for end := time.Now().Add(10 * time.Second); m.transport.bytes.Stats().Used+m.transport.inbound.Stats().Used > 0; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("not given back: %+v, %+v", m.transport.bytes.Stats(), m.transport.inbound.Stats())
		}
	}
}
