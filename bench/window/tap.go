package window

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
)

// Tap stands between a NATS server and one client. While Drop is set, it
// leaves out the messages to the client; everything else passes, so that
// neither side notices.
type Tap struct {
	Drop atomic.Bool

	listener net.Listener
	server   string
	running  sync.WaitGroup
	mu       sync.Mutex // guards the fields below
	conns    []net.Conn
	closed   bool
}

// Listen returns the URL for the client of the server at serverURL.
func (t *Tap) Listen(serverURL string) (string, error) {
	u, err := url.Parse(serverURL)
	if err != nil {
		return "", err
	}
	if t.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return "", err
	}
	t.server = u.Host
	t.running.Go(t.accept)
	return "nats://" + t.listener.Addr().String(), nil
}

func (t *Tap) accept() {
	for {
		client, err := t.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", t.server)
		if err != nil {
			client.Close()
			continue
		}
		if !t.keep(client, server) {
			return
		}
		t.running.Go(func() { _, _ = io.Copy(server, client); server.Close() })
		t.running.Go(func() { _ = t.pass(client, server); client.Close() })
	}
}

// keep remembers connections for close, or closes them if that is over.
func (t *Tap) keep(conns ...net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conns = append(t.conns, conns...)
	if t.closed {
		closeAll(t.conns)
	}
	return !t.closed
}

// pass copies what the server says. A message is a line "MSG subject id size"
// and, after it, the content and an end of line.
func (t *Tap) pass(to io.Writer, from io.Reader) error {
	r := bufio.NewReaderSize(from, 1<<16)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return err
		}
		if fields := bytes.Fields(line); bytes.HasPrefix(line, []byte("MSG ")) {
			size, err := strconv.Atoi(string(fields[len(fields)-1]))
			if err != nil {
				return err
			}
			content := make([]byte, size+len("\r\n"))
			if _, err := io.ReadFull(r, content); err != nil {
				return err
			}
			if t.Drop.Load() {
				continue
			}
			line = append(line, content...)
		}
		if _, err := to.Write(line); err != nil {
			return err
		}
	}
}

// Close ends every connection and waits.
func (t *Tap) Close() {
	if t.listener == nil {
		return
	}
	t.listener.Close()
	t.mu.Lock()
	t.closed = true
	closeAll(t.conns)
	t.mu.Unlock()
	t.running.Wait()
}

func closeAll(conns []net.Conn) {
	for _, c := range conns {
		c.Close()
	}
}
