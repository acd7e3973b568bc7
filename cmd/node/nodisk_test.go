package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestNodesWithoutDisks runs three processes that keep their revocations in one
// JetStream stream: all are killed at once amid log-outs, with the server, and
// new ones in other folders under other names know all that was answered.
func TestNodesWithoutDisks(t *testing.T) {
	s := newSite(t, "shared log")
	var tokens []string
	for i := range 24 {
		tokens = append(tokens, s.mint("ada", fmt.Sprint("device ", i)))
	}
	valid := s.mint("ada", "stays")
	s.expect(200, tokens[0])
	var (
		loggedOut sync.Map
		callers   sync.WaitGroup
		many      = make(chan struct{}, len(tokens))
	)
	for i, token := range tokens {
		callers.Go(func() {
			if code, _ := request(t, "DELETE", "http://"+s.http[i%3]+"/v1/session?ack=local", token); code == 200 {
				loggedOut.Store(token, true)
			}
			many <- struct{}{}
		})
	}
	for range len(tokens) / 2 {
		<-many
	}
	for _, p := range append(s.nodes[:], s.natsServer) {
		p.cmd.Process.Kill()
	}
	callers.Wait()
	for _, p := range append(s.nodes[:], s.natsServer) {
		p.kill()
	}

	s.life++
	for i := range s.nodes {
		s.start(i)
	}
	for i, addr := range s.http { // without the server they know nothing, and say so
		var body string
		await(t, fmt.Sprintf("node %d waits for the stream", i), func() bool {
			_, body = request(t, "GET", "http://"+addr+"/readyz", "")
			return strings.Contains(body, "stream of revocations")
		})
		if code, _ := request(t, "GET", "http://"+addr+"/v1/check", valid); code != 503 {
			t.Errorf("node %d answers %d before it has read the stream", i, code)
		}
	}
	s.startNATS()
	s.ready()
	known := 0
	loggedOut.Range(func(token, _ any) bool {
		known++
		s.expect(401, token.(string))
		return true
	})
	s.expect(200, valid)
	if known == 0 {
		t.Error("no log-out was answered before the kill")
	}
	t.Logf("%d of %d log-outs were answered before all were killed", known, len(tokens))

	// The server dies under them: log-outs fail, checks go on.
	s.natsServer.kill()
	attempt, token := 0, ""
	logout := func() (int, string) { // each with its own token: a log-out that is not acknowledged is in force all the same
		attempt++
		token = s.mint("ada", fmt.Sprint("attempt ", attempt))
		return request(t, "DELETE", "http://"+s.http[0]+"/v1/session", token)
	}
	await(t, "log-outs are refused", func() bool {
		code, body := logout()
		return code == 503 && strings.Contains(body, "unavailable")
	})
	s.expect(401, token)
	s.expect(200, valid)
	for token := range loggedOut.Range {
		s.expect(401, token.(string))
		break
	}
	s.startNATS()
	await(t, "log-outs again", func() bool { code, _ := logout(); return code == 200 })
	s.expect(401, token)
	for _, dir := range []string{"data0", "data1-1"} {
		if _, err := os.Stat(filepath.Join(s.dir, dir)); err == nil {
			t.Errorf("a node without a disk has made %s", dir)
		}
	}
}

// startJetStream starts a server that syncs every write.
func (s *site) startJetStream() {
	_, port, _ := net.SplitHostPort(s.nats)
	settings := fmt.Sprintf("listen: 127.0.0.1:%s\njetstream { store_dir: %q, sync_interval: always, max_file_store: 1GB }\n", port, filepath.Join(s.dir, "jetstream"))
	put(s.t, filepath.Join(s.dir, "nats.conf"), settings)
	s.natsServer = start(s.t, s.dir, binary(s.t, "nats-server"), "-c", "nats.conf")
	await(s.t, "the NATS server listens", func() bool {
		conn, err := net.DialTimeout("tcp", s.nats, time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}
