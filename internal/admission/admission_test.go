package admission

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func address(n int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}) }

// TestRoomNeverGivesMoreThanItHas: whatever is taken and given back by whom, the bounds
// hold, and nothing is lost or made up.
func TestRoomNeverGivesMoreThanItHas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.Int64Range(1, 50).Draw(t, "most")
		r := NewRoom("x", most, slog.New(slog.DiscardHandler))
		friend := address(9)
		r.SetKnown(func(a netip.Addr) bool { return a == friend })
		type taken struct {
			from netip.Addr
			n    int64
		}
		var held []taken
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				x := taken{address(rapid.SampledFrom([]int{1, 2, 3, 9}).Draw(t, "from")), rapid.Int64Range(1, 4).Draw(t, "n")}
				if r.Take(x.from, x.n) {
					held = append(held, x)
				}
			},
			"give": func(t *rapid.T) {
				if len(held) > 0 {
					r.Give(held[0].from, held[0].n)
					held = held[1:]
				}
			},
			"": func(t *rapid.T) {
				var all, strangers int64
				by := map[netip.Addr]int64{}
				for _, x := range held {
					all += x.n
					by[x.from] += x.n
					if x.from != friend {
						strangers += x.n
					}
				}
				if st := r.Stats(); st.Used != all || all > most {
					t.Fatalf("%d are held of %d, and it says %d", all, most, st.Used)
				}
				if strangers > most-most/keptOf {
					t.Fatalf("strangers hold %d of %d", strangers, most)
				}
				for from, n := range by {
					if from != friend && n > max(most/shareOf, 1) {
						t.Fatalf("%v holds %d of %d", from, n, most)
					}
				}
				if len(r.by) != len(by) {
					t.Fatalf("remembers %d addresses of %d", len(r.by), len(by))
				}
			},
		})
	})
}

// TestRoomKeepsSomeForTheKnown: with strangers at every address there is, loopback and
// who is named still find room, and hosts of one network count as one.
func TestRoomKeepsSomeForTheKnown(t *testing.T) {
	r := NewRoom("x", 80, slog.New(slog.DiscardHandler))
	proxy := address(200)
	r.SetKnown(func(a netip.Addr) bool { return a == proxy })
	for i := range 100 {
		r.Take(netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i)), 1)
	}
	if used := r.Stats().Used; used != 20 {
		t.Errorf("hosts of one network took %d of 80, not a quarter", used)
	}
	for i := range 100 {
		r.Take(address(i), 1)
	}
	if used := r.Stats().Used; used != 70 {
		t.Errorf("strangers took %d of 80", used)
	}
	for range 5 {
		if !r.Take(proxy, 1) || !r.Take(netip.MustParseAddr("::ffff:127.0.0.1"), 1) {
			t.Fatal("nothing was kept for those who are known")
		}
	}
	if r.Take(proxy, 1) {
		t.Error("more than there is")
	}
}

// TestRefusalsAreCountedAndSaidSeldom: a line a second at most, with how many it stands
// for.
func TestRefusalsAreCountedAndSaidSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := NewRoom("connections", 1, slog.New(slog.NewTextHandler(&log, nil)))
		r.Take(address(1), 1)
		for range 10_000 {
			r.Take(address(2), 1)
			time.Sleep(time.Millisecond)
		}
		lines := strings.Count(log.String(), "\n")
		if lines < 9 || lines > 11 || r.Stats().Refused != 10_000 || !strings.Contains(log.String(), "muted=999") {
			t.Errorf("%d lines of %d refusals:\n%s", lines, r.Stats().Refused, log.String())
		}
	})
}

// TestListenerRefusesAtOnce holds more connections than there is room for.
func TestListenerRefusesAtOnce(t *testing.T) {
	r := NewRoom("connections", 4, slog.New(slog.DiscardHandler))
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := r.Listener(inner)
	var mu sync.Mutex
	var open []net.Conn
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "hello")
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
		}
	}()
	ask := func() (net.Conn, error) {
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		_, err = io.ReadFull(conn, make([]byte, 5))
		return conn, err
	}
	for range 4 {
		if _, err := ask(); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	if _, err := ask(); err == nil || time.Since(start) > 4*time.Second {
		t.Errorf("a fifth connection: %v after %v", err, time.Since(start))
	}
	mu.Lock()
	open[0].Close()
	open[0].Close() // gives back once
	mu.Unlock()
	if _, err := ask(); err != nil {
		t.Errorf("after one was closed: %v", err)
	}
	if st := r.Stats(); st.Used != 4 || st.Refused != 1 {
		t.Errorf("%+v", st)
	}
	l.Close()
	<-served
}

// TestHandlerBoundsHTTP2 holds requests of one connection open.
func TestHandlerBoundsHTTP2(t *testing.T) {
	r := NewRoom("requests", 2, slog.New(slog.DiscardHandler))
	hold := make(chan struct{})
	var begun sync.WaitGroup
	server := httptest.NewUnstartedServer(r.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { begun.Done(); <-hold })))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	var done sync.WaitGroup
	begun.Add(2)
	for range 2 {
		done.Go(func() {
			if resp, err := server.Client().Get(server.URL); err != nil || resp.StatusCode != 200 || resp.ProtoMajor != 2 {
				t.Errorf("%v, %v", resp, err)
			}
		})
	}
	begun.Wait()
	resp, err := server.Client().Get(server.URL)
	if err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a third request: %v, %v", resp, err)
	}
	close(hold)
	done.Wait()
	if st := r.Stats(); st.Used != 0 || st.Refused != 1 {
		t.Errorf("%+v", st)
	}
}

// TestPlanFitsTheProcess: whatever a process has, all rooms together at their worst fit
// it, down to what a node needs at all.
func TestPlanFitsTheProcess(t *testing.T) {
	for _, u := range []Uses{{}, {Gossip: true}, {Admin: true, GRPC: true, Gossip: true}} {
		for _, files := range []int64{0, 256, 1024, 65536, 1 << 20} {
			for _, memory := range []int64{0, 24 << 20, 64 << 20, 256 << 20, 2 << 30} {
				p := PlanFor(Process{files, memory}, u)
				if conns := p.HTTP + p.Admin + p.GRPC; files > 0 && conns > files-min(keptFiles, files/2) {
					t.Errorf("%+v with %d files: %d connections", u, files, conns)
				}
				if p.HTTP < leastConnections || u.GRPC && p.Calls < leastConnections || u.Gossip && p.GossipBytes < leastGossipBytes || !u.Admin && p.Admin > 0 {
					t.Errorf("%+v: %+v", u, p)
				}
				worst := (p.HTTP+p.Admin)*connectionBytes + p.GRPC*grpcBytes + p.Calls*callBytes + p.Requests*requestBytes
				if u.Gossip {
					worst += p.GossipBytes - leastGossipBytes // the floor is of memoryReserve
				}
				floor := int64(16 << 20) // of the floors of all rooms
				if memory > 0 && worst > memory+floor {
					t.Errorf("%+v with %d MiB: %+v takes %d MiB", u, memory>>20, p, worst>>20)
				}
			}
		}
	}
}

// TestCgroupMemory reads what kernels and container runtimes show.
func TestCgroupMemory(t *testing.T) {
	v1 := "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
	v2 := "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
	for name, c := range map[string]struct {
		own, mounts string
		files       map[string]string
		want        int64
	}{
		"no Linux":                   {"", "", nil, 0},
		"2, no limit":                {"0::/a\n", v2, map[string]string{"a/memory.max": "max\n"}, 0},
		"2, its own":                 {"0::/a/b\n", v2, map[string]string{"a/b/memory.max": "1073741824\n", "a/memory.max": "max\n"}, 1 << 30},
		"2, its slice":               {"0::/a/b\n", v2, map[string]string{"a/b/memory.max": "max\n", "a/memory.max": "536870912\n"}, 512 << 20},
		"2, the least":               {"0::/a/b\n", v2, map[string]string{"a/b/memory.max": "1073741824\n", "a/memory.max": "536870912\n"}, 512 << 20},
		"2, a container's namespace": {"0::/\n", v2, map[string]string{"memory.max": "268435456\n"}, 256 << 20},
		"2, the host's path":         {"0::/docker/0123\n", v2, map[string]string{"memory.max": "268435456\n"}, 256 << 20},
		"2, a mounted part": {"0::/kubepods/pod1/c\n", "29 23 0:26 /kubepods/pod1 /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n",
			map[string]string{"c/memory.max": "268435456\n"}, 256 << 20},
		"1":                  {"4:memory:/x/y\n3:cpuset:/\n0::/\n", v1, map[string]string{"memory/x/y/memory.limit_in_bytes": "209715200\n"}, 200 << 20},
		"1, in a container":  {"4:memory:/docker/0123\n", v1, map[string]string{"memory/memory.limit_in_bytes": "209715200\n"}, 200 << 20},
		"1, no limit":        {"4:memory:/x\n", v1, map[string]string{"memory/x/memory.limit_in_bytes": "9223372036854771712\n"}, 0},
		"1, two controllers": {"4:cpu,memory:/x\n", v1, map[string]string{"memory/x/memory.limit_in_bytes": "209715200\n"}, 200 << 20},
		"garbage":            {"nonsense\n0::/../..\n", v2 + "nonsense - \n", map[string]string{"memory.max": "-5\n"}, 0},
	} {
		root := fstest.MapFS{}
		if c.own != "" {
			root["proc/self/cgroup"] = &fstest.MapFile{Data: []byte(c.own)}
			root["proc/self/mountinfo"] = &fstest.MapFile{Data: []byte(c.mounts)}
		}
		for file, text := range c.files {
			root["sys/fs/cgroup/"+file] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := cgroupMemory(root); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
