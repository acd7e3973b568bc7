package link

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const far = 80 * time.Millisecond

// TestDelayAndOrder: each write comes out exactly a delay later, in order,
// however many are under way. The time is virtual.
func TestDelayAndOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Link{delay: far, whole: make(chan struct{})}
		close(l.whole)
		in, src := net.Pipe()
		dst, out := net.Pipe()
		var moved atomic.Int64
		done := make(chan struct{})
		go func() {
			defer close(done)
			l.carry(context.Background(), dst, src, &moved)
			dst.Close()
		}()
		start, sent := time.Now(), 1000
		go func() {
			defer in.Close()
			for i := range sent {
				if _, err := in.Write(binary.BigEndian.AppendUint64(nil, uint64(i))); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Millisecond)
			}
		}()
		msg := make([]byte, 8)
		for i := range sent {
			if _, err := io.ReadFull(out, msg); err != nil {
				t.Fatal(err)
			}
			if got := binary.BigEndian.Uint64(msg); got != uint64(i) {
				t.Fatalf("message %d came when it was %d's turn", got, i)
			}
			if after := time.Since(start) - time.Duration(i)*time.Millisecond; after != far {
				t.Fatalf("message %d took %v, not %v", i, after, far)
			}
		}
		if _, err := out.Read(msg); !errors.Is(err, io.EOF) {
			t.Errorf("after the last one: %v", err)
		}
		<-done
		if moved.Load() != int64(8*sent) {
			t.Errorf("%d bytes counted", moved.Load())
		}
	})
}

// echo answers with what it gets.
func echo(t *testing.T) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); c.Close() }()
		}
	}()
	return listener.Addr().String()
}

func open(t *testing.T, l *Link) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// ask sends a message and reads it back.
func ask(c net.Conn, msg string) error {
	if _, err := io.WriteString(c, msg); err != nil {
		return err
	}
	return answer(c, msg)
}

func answer(c net.Conn, msg string) error {
	got := make([]byte, len(msg))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if !bytes.Equal(got, []byte(msg)) {
		return fmt.Errorf("%q came back as %q", msg, got)
	}
	return nil
}

func start(t *testing.T, delay time.Duration) *Link {
	t.Helper()
	l, err := New(echo(t), delay)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// TestRoundTrip: to connect takes one delay and to ask two; what is larger than
// a part arrives whole.
func TestRoundTrip(t *testing.T) {
	const delay = 20 * time.Millisecond
	l := start(t, delay)
	began := time.Now()
	c := open(t, l)
	if err := ask(c, "first"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 3*delay {
		t.Errorf("connecting and asking took only %v", took)
	}
	began = time.Now()
	if err := ask(c, "second"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 2*delay {
		t.Errorf("asking took only %v", took)
	}
	large := string(bytes.Repeat([]byte("0123456789"), partSize))
	go io.WriteString(c, large)
	if err := answer(c, large); err != nil {
		t.Error(err)
	}
	if there, back := l.Bytes(); there != int64(len("firstsecond")+len(large)) || back != there {
		t.Errorf("%d bytes counted there and %d back", there, back)
	}
}

func TestBreakEndsAndRefuses(t *testing.T) {
	l := start(t, time.Millisecond)
	c := open(t, l)
	if err := ask(c, "before"); err != nil {
		t.Fatal(err)
	}
	l.Break()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("a connection outlived the break")
	}
	if err := ask(open(t, l), "meanwhile"); err == nil {
		t.Error("a broken link took a connection")
	}
	l.Mend()
	if err := ask(open(t, l), "after"); err != nil {
		t.Error(err)
	}
}

// TestSilenceKeeps: what is sent meanwhile comes out afterwards, on a connection
// that noticed nothing.
func TestSilenceKeeps(t *testing.T) {
	l := start(t, time.Millisecond)
	c := open(t, l)
	if err := ask(c, "before"); err != nil {
		t.Fatal(err)
	}
	l.Silence()
	l.Silence() // once more changes nothing
	if _, err := io.WriteString(c, "meanwhile"); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("something came through a silent link")
	}
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	l.Mend()
	if err := answer(c, "meanwhile"); err != nil {
		t.Error(err)
	}
}

// TestCloseWaits: in whatever state, Close ends connections that are idle, that
// are being made and that wait, and returns when nothing runs any more.
func TestCloseWaits(t *testing.T) {
	for name, disturb := range map[string]func(*Link){"whole": func(*Link) {}, "silent": (*Link).Silence, "broken": (*Link).Break} {
		t.Run(name, func(t *testing.T) {
			l := start(t, time.Hour) // nothing ever arrives
			idle := open(t, l)
			if _, err := io.WriteString(idle, "under way"); err != nil {
				t.Fatal(err)
			}
			disturb(l)
			l.Close()
			l.Close()
			if _, err := idle.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a connection outlived the link: %v", err)
			}
			if len(l.conns) != 0 {
				t.Errorf("%d connections are carried by a closed link", len(l.conns))
			}
		})
	}
}
