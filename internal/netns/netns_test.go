package netns

import (
	"context"
	"net"
	"os"
	"testing"
	"time"
)

// TestMain also serves as a program that listens, to be run inside a host.
func TestMain(m *testing.M) {
	if addr := os.Getenv("NETNS_LISTEN"); addr != "" {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			os.Exit(1)
		}
		for {
			conn, err := l.Accept()
			if err != nil {
				os.Exit(0)
			}
			conn.Close()
		}
	}
	os.Exit(m.Run())
}

// A host answers itself always, and another one until it is made deaf to it.
func TestNetwork(t *testing.T) {
	if why := Missing(); why != "" {
		t.Skip(why)
	}
	n, err := New(2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	addr := net.JoinHostPort(n.Address(1), "7000")
	listens := n.Command(1, os.Args[0])
	listens.Env = append(os.Environ(), "NETNS_LISTEN="+addr)
	if err := listens.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listens.Process.Kill(); _ = listens.Wait() })
	reaches := func(from int) bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		conn, err := n.Dial(ctx, from, addr)
		return err == nil && conn.Close() == nil
	}
	for end := time.Now().Add(20 * time.Second); !reaches(0); {
		if time.Now().After(end) {
			t.Fatal("one host does not reach the other")
		}
	}
	if err := n.Deafen(1, 0); err != nil {
		t.Fatal(err)
	}
	if reaches(0) {
		t.Error("it hears the host that it was made deaf to")
	}
	if !reaches(1) {
		t.Error("it does not reach itself")
	}
	if err := n.Heal(); err != nil {
		t.Fatal(err)
	}
	if !reaches(0) {
		t.Error("the link is not healed")
	}
}
