package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	tokenSecret = "a secret of tokens that is long enough for HS256"

	revokeEvery = 20 * time.Millisecond
	checkEvery  = 4 * time.Millisecond
	keepLive    = 50 // tokens that nobody ever revokes
)

// client revokes and checks, and keeps a history. Its requests enter each node
// by the loopback of the node's own namespace.
type client struct {
	site  *site
	start time.Time
	http  [nodes]*http.Client

	mu      sync.Mutex // guards the fields below
	history history
	minted  int
	tokens  map[string]string // by id
	revoked []string          // ids whose revocation was called, oldest first
	live    []string
}

func newClient(t *testing.T, s *site) *client {
	c := &client{site: s, start: time.Now(), tokens: map[string]string{}}
	for i := range nodes {
		transport := &http.Transport{
			MaxIdleConnsPerHost: 64,
			DialContext:         func(ctx context.Context, _, addr string) (net.Conn, error) { return s.net.Dial(ctx, i, addr) },
		}
		// Longer than a pause of 10 s: an answer that comes late counts too.
		c.http[i] = &http.Client{Transport: transport, Timeout: 15 * time.Second}
		t.Cleanup(transport.CloseIdleConnections)
	}
	for range keepLive {
		c.live = append(c.live, c.mint())
	}
	return c
}

func (c *client) now() time.Duration { return time.Since(c.start) }

// mint makes a token and returns its id.
func (c *client) mint() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.minted++
	id := fmt.Sprint("t", c.minted)
	now := time.Now()
	raw, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": issuer, "sub": "user-" + id, "jti": id, "iat": now.Unix(), "exp": now.Add(24 * time.Hour).Unix(),
	}).SignedString([]byte(tokenSecret))
	if err != nil {
		panic(err) // only for a key of the wrong type
	}
	c.tokens[id] = raw
	return id
}

// do asks node i and returns the status, or 0 if there was no answer.
func (c *client) do(i int, method, path, bearer string, body []byte, headers ...string) (int, []byte) {
	req, err := http.NewRequest(method, "http://"+httpAddr+path, bytes.NewReader(body))
	if err != nil {
		panic(err) // the request is ours
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for k := 0; k < len(headers); k += 2 {
		req.Header.Set(headers[k], headers[k+1])
	}
	resp, err := c.http[i].Do(req)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, []byte(err.Error())
	}
	return resp.StatusCode, answer
}

// run revokes and checks at a fixed rate, whatever the answers take, until ctx
// ends and every answer has come.
func (c *client) run(ctx context.Context) {
	var calls sync.WaitGroup
	defer calls.Wait()
	revoke, check := time.NewTicker(revokeEvery), time.NewTicker(checkEvery)
	defer revoke.Stop()
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-revoke.C:
			calls.Go(c.revoke)
		case <-check.C:
			calls.Go(func() { c.check(rand.N(nodes), c.pick(), bounds[rand.N(len(bounds))], false) })
		}
	}
}

// bounds are the stalenesses that checks ask for.
var bounds = []time.Duration{600 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 15 * time.Second}

// revoke revokes a new token, once. An answer of 201 or 202 acknowledges it.
func (c *client) revoke() {
	id, node := c.mint(), rand.N(nodes)
	ack := []string{"local", "1", "majority"}[rand.N(3)]
	body := fmt.Appendf(nil, `{"scope":"jti","iss":%q,"id":%q}`, issuer, id)
	called := c.now()
	c.mu.Lock()
	c.revoked = append(c.revoked, id)
	c.mu.Unlock()
	status, _ := c.do(node, http.MethodPost, "/v1/revocations?timeout=2s&ack="+ack, adminToken, body)
	r := revocation{id: id, node: node, called: called}
	if status == http.StatusCreated || status == http.StatusAccepted {
		r.acked = c.now()
	}
	c.note(r)
}

// fillLog revokes through node i until it fails to: a disk that is full still
// has room in the log that is open, up to 16 MiB. Of what was acknowledged it
// puts one in a thousand into the history, with a token, to be checked like the
// others; all would take minutes.
func (c *client) fillLog(i int) error {
	const lines, sample = 5000, 1000
	for part := range 400 {
		var body bytes.Buffer
		ids := map[int]string{}
		for line := range lines {
			id := fmt.Sprint("ballast-", part, "-", line)
			if line%sample == 0 {
				id = c.mint()
				ids[line+1] = id
			}
			fmt.Fprintf(&body, `{"scope":"jti","iss":%q,"id":%q}`+"\n", issuer, id)
		}
		called := c.now()
		c.mu.Lock()
		for _, id := range ids {
			c.revoked = append(c.revoked, id)
		}
		c.mu.Unlock()
		_, answer := c.do(i, http.MethodPost, "/v1/revocations/bulk?ack=local", adminToken, body.Bytes(), "Content-Type", "application/x-ndjson")
		acked, accepted := c.now(), 0
		for results := json.NewDecoder(bytes.NewReader(answer)); ; {
			var r struct{ Line, Status int }
			if results.Decode(&r) != nil { // it may break off
				break
			}
			if r.Status != http.StatusCreated && r.Status != http.StatusAccepted {
				continue
			}
			accepted++
			if id, ok := ids[r.Line]; ok {
				c.note(revocation{id: id, node: i, called: called, acked: acked})
				delete(ids, r.Line)
			}
		}
		for _, id := range ids { // their fate is unknown
			c.note(revocation{id: id, node: i, called: called})
		}
		if accepted < lines {
			return nil
		}
	}
	return fmt.Errorf("node %d accepted 2,000,000 revocations on a full disk", i)
}

func (c *client) note(r revocation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.history.revocations = append(c.history.revocations, r)
}

// pick returns a token to check: mostly one revoked lately, for that is where
// the mistakes are, at times an old one or a live one.
func (c *client) pick() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.revoked)
	switch k := rand.N(10); {
	case n == 0 || k < 2:
		return c.live[rand.N(len(c.live))]
	case k < 4:
		return c.revoked[rand.N(n)]
	default:
		return c.revoked[n-1-rand.N(min(n, 200))]
	}
}

// check asks node i about a token, and for at most so much staleness.
func (c *client) check(i int, id string, atMost time.Duration, afterwards bool) {
	c.mu.Lock()
	raw := c.tokens[id]
	c.mu.Unlock()
	life := c.site.life(i)
	asked := c.now()
	status, _ := c.do(i, http.MethodGet, "/v1/check", raw, nil, "Rescind-Max-Staleness", atMost.String())
	answer := check{id: id, node: i, life: life, asked: asked, answered: c.now(), status: status, atMost: atMost, afterwards: afterwards}
	if c.site.life(i) != life {
		answer.life = 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.history.checks = append(c.history.checks, answer)
}

// checkAll asks every node about every token, at most eight at a time.
func (c *client) checkAll() {
	c.mu.Lock()
	ids := append(append([]string{}, c.revoked...), c.live...)
	c.mu.Unlock()
	var asking sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i := range nodes {
		for _, id := range ids {
			slots <- struct{}{}
			asking.Go(func() {
				c.check(i, id, time.Hour, true)
				<-slots
			})
		}
	}
	asking.Wait()
}
