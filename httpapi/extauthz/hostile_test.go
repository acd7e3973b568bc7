package extauthz

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"rescind/internal/admission"
)

// readyFace is a face that is ready, and is asked nothing else.
type readyFace struct{ Face }

func (readyFace) Ready() bool { return true }

// stranger is a client of the gRPC port that speaks HTTP/2 as it likes.
type stranger struct {
	conn   net.Conn
	framer *http2.Framer
	buf    bytes.Buffer
	enc    *hpack.Encoder
	next   uint32
}

// listen serves as a node does, and returns where.
func listen(t *testing.T, serve func(net.Listener) error, stop func()) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- serve(l) }()
	t.Cleanup(func() { stop(); <-served })
	return l.Addr().String()
}

func dialStranger(t *testing.T, addr string) *stranger {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &stranger{conn: conn, framer: http2.NewFramer(conn, conn), next: 1}
	s.enc = hpack.NewEncoder(&s.buf)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := s.framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return s
}

// begin sends the headers of a call, and leaves it open. It returns its stream and
// how much was sent.
func (s *stranger) begin(method string, more ...hpack.HeaderField) (stream uint32, sent int, err error) {
	s.buf.Reset()
	for _, f := range append([]hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: method},
		{Name: ":authority", Value: "x"}, {Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"},
	}, more...) {
		s.enc.WriteField(f)
	}
	stream, sent = s.next, s.buf.Len()
	s.next += 2
	return stream, sent, s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: s.buf.Bytes(), EndHeaders: true})
}

// ended reads until the server ends the stream.
func (s *stranger) ended(t *testing.T, stream uint32, within time.Duration) {
	t.Helper()
	s.conn.SetReadDeadline(time.Now().Add(within))
	for {
		f, err := s.framer.ReadFrame()
		if err != nil {
			t.Fatalf("stream %d is still open: %v", stream, err)
		}
		if f.Header().StreamID != stream {
			continue
		}
		if _, reset := f.(*http2.RSTStreamFrame); reset || f.Header().Flags.Has(http2.FlagHeadersEndStream) {
			return
		}
	}
}

func (s *stranger) readAll() { go io.Copy(io.Discard, s.conn) }

const checkMethod = "/envoy.service.auth.v3.Authorization/Check"

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestAttackRepeatedHeaders: a large header whose name ends in -bin, sent once, and
// then named by one byte as often as fits a call that stays open. Each time the server
// decodes it anew. One connection that had sent 3.1 MB took a gigabyte.
func TestAttackRepeatedHeaders(t *testing.T) {
	server := NewGRPCServer(readyFace{}, nil)
	addr := listen(t, server.Serve, server.Stop)
	before := heap()
	s := dialStranger(t, addr)
	s.readAll()
	big := hpack.HeaderField{Name: "x-bin", Value: strings.Repeat("A", 3800)}
	var sent int
	for range 200 {
		repeated := make([]hpack.HeaderField, 600)
		for i := range repeated {
			repeated[i] = big
		}
		_, n, err := s.begin(checkMethod, repeated...)
		sent += n
		if err != nil {
			break // refused: as good as any other bound
		}
	}
	var most int64
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
		most = max(most, heap()-before)
	}
	t.Logf("%d bytes sent took %d", sent, most)
	if most > 16<<20 {
		t.Errorf("%d bytes sent by somebody who showed nothing take %d MiB", sent, most>>20)
	}
}

// TestAttackCallsWithoutMessage: calls that begin and send nothing more end by
// themselves, and there is a bound on those of one connection and of all.
func TestAttackCallsWithoutMessage(t *testing.T) {
	room := admission.NewRoom("calls", 1000, slog.New(slog.DiscardHandler))
	server := newGRPCServer(readyFace{}, calls{room, 300 * time.Millisecond}, nil)
	addr := listen(t, server.Serve, server.Stop)
	for _, method := range []string{checkMethod, "/grpc.health.v1.Health/Watch", "/grpc.health.v1.Health/Check", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"} {
		s := dialStranger(t, addr)
		stream, _, err := s.begin(method)
		if err != nil {
			t.Fatal(err)
		}
		s.ended(t, stream, 5*time.Second)
	}
	s := dialStranger(t, addr)
	s.readAll()
	for range 1000 {
		if _, _, err := s.begin(checkMethod); err != nil {
			t.Fatal(err)
		}
	}
	if used := room.Stats().Used; used > maxStreams {
		t.Errorf("one connection has %d calls open; %d are allowed", used, maxStreams)
	}
	s.conn.Close()
	for end := time.Now().Add(10 * time.Second); room.Stats().Used != 0; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d calls that ended are still counted", room.Stats().Used)
		}
	}
}

// TestAttackCallsFromOneAddress: where the room for calls is used up by one address,
// others still find some.
func TestAttackCallsFromOneAddress(t *testing.T) {
	room := admission.NewRoom("calls", 40, slog.New(slog.DiscardHandler))
	one, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for range 1000 {
		room.Take(one, 1)
	}
	if !room.Take(other, 1) || room.Stats().Used != 11 {
		t.Errorf("%+v", room.Stats())
	}
}

// TestAttackAbsurdCalls: what is kept of a call's headers is small whatever they are.
func TestAttackAbsurdCalls(t *testing.T) {
	server := newGRPCServer(readyFace{}, calls{admission.NewRoom("calls", 100, nil), time.Minute}, nil)
	addr := listen(t, server.Serve, server.Stop)
	many := make([]hpack.HeaderField, 100)
	for i := range many {
		many[i] = hpack.HeaderField{Name: fmt.Sprintf("x-%d", i), Value: "y"}
	}
	large := hpack.HeaderField{Name: "x", Value: strings.Repeat("y", 3800)}
	for name, call := range map[string]struct {
		method string
		more   []hpack.HeaderField
	}{
		"many headers":   {checkMethod, many},
		"a long method":  {"/" + strings.Repeat("m", 4000), nil},
		"long encodings": {checkMethod, []hpack.HeaderField{{Name: "grpc-accept-encoding", Value: strings.Repeat("gzip,", 500)}}},
		"too large":      {checkMethod, slices.Repeat([]hpack.HeaderField{large}, 9)},
	} {
		t.Run(name, func(t *testing.T) {
			s := dialStranger(t, addr)
			stream, _, err := s.begin(call.method, call.more...)
			if err != nil {
				t.Fatal(err)
			}
			s.ended(t, stream, 5*time.Second)
		})
	}
}
