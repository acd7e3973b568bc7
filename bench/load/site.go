package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"rescind"
	"rescind/bench/pace"
	"rescind/bench/process"
	"rescind/bench/remote"
	"rescind/bench/window"
	"rescind/cluster"
	"rescind/httpapi"
	"rescind/token"
)

// loadSite is a cluster under load: the HTTP faces of its nodes, and for each an
// issuer that logs in and refreshes there.
type loadSite struct {
	urls    []string
	faces   []string // paths that take a token: of the HTTP face, of the middleware
	issuers []*token.Issuer
	client  *http.Client
	admin   string
	close   func() error

	nodes []*cluster.Node // nil where they are not in this process
}

const (
	facePath       = "/v1/check"
	middlewarePath = "/app/hello"
)

// answerWithin is when an answer counts as missing.
const answerWithin = 10 * time.Second

// loadClient keeps as many connections as an open-loop load can need, and no more
// than a process may open.
func loadClient() *http.Client {
	return &http.Client{
		Timeout:   answerWithin,
		Transport: &http.Transport{MaxIdleConnsPerHost: 512, MaxConnsPerHost: 512},
	}
}

// localCluster describes a cluster in this process.
type localCluster struct {
	window.Group
	keys   *token.KeySet                            // of the issuer
	admin  string                                   // the admin token; empty: none
	tamper func(i int, h http.Handler) http.Handler // changes what node i serves; nil: nothing
}

// site starts it, with a server for each node.
func (c localCluster) site(ctx context.Context) (s *loadSite, err error) {
	dir, err := os.MkdirTemp("", "rescind-load-")
	if err != nil {
		return nil, err
	}
	s = &loadSite{faces: []string{facePath, middlewarePath}, client: loadClient(), admin: c.admin}
	nodes, err := c.Start(dir)
	s.nodes = nodes
	var servers []*http.Server
	var serving sync.WaitGroup
	s.close = func() error {
		s.client.CloseIdleConnections()
		var errs []error
		for _, server := range servers {
			errs = append(errs, server.Close())
		}
		serving.Wait()
		return errors.Join(append(errs, window.CloseAll(nodes), os.RemoveAll(dir))...)
	}
	if err == nil {
		err = window.Await(ctx, nodes)
	}
	for i := 0; i < len(nodes) && err == nil; i++ {
		var h http.Handler
		if h, err = s.serveNode(ctx, nodes[i], c.keys); err != nil {
			break
		}
		if c.tamper != nil {
			h = c.tamper(i, h)
		}
		var l net.Listener
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			break
		}
		server := httpapi.NewServer(l.Addr().String(), h, slog.New(slog.DiscardHandler))
		servers = append(servers, server)
		serving.Go(func() { _ = server.Serve(l) }) // until it is closed
		s.urls = append(s.urls, "http://"+l.Addr().String())
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// serveNode returns what a service with a node serves: Rescind's own face, and a
// handler behind the middleware.
func (s *loadSite) serveNode(ctx context.Context, n *cluster.Node, keys *token.KeySet) (http.Handler, error) {
	quiet := slog.New(slog.DiscardHandler)
	issuer, err := token.NewIssuer(token.SignerConfig{Issuer: demoIssuer, Keys: keys, Checker: n, Revoker: n, Logger: quiet, AccessLifetime: time.Hour})
	if err != nil {
		return nil, err
	}
	s.issuers = append(s.issuers, issuer)
	v, err := token.NewVerifier(ctx, token.VerifierConfig{Issuers: []token.IssuerConfig{issuer.Trust()}, Checker: n, Logger: quiet})
	if err != nil {
		return nil, err
	}
	cfg := httpapi.Config{Node: n, Verifier: v, Issuer: demoIssuer, Logger: quiet}
	if s.admin != "" {
		cfg.AdminToken = []byte(s.admin)
	}
	api, err := httpapi.New(cfg)
	if err != nil {
		return nil, err
	}
	hello := token.Middleware(v)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		verified, _ := token.FromContext(r.Context()) // the middleware has put it there
		fmt.Fprintf(w, "hello %s\n", verified.Token.Subject)
	}))
	face := api.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == middlewarePath {
			hello.ServeHTTP(w, r)
			return
		}
		face.ServeHTTP(w, r)
	}), nil
}

// demoIssuer is the issuer of 'rescind keys generate'.
const demoIssuer = "https://demo.rescind.invalid"

// runningCluster names a cluster that runs already.
type runningCluster struct {
	urls      string // separated by commas
	keysFile  string // the private keys of an issuer that it trusts
	issuer    string
	audience  string // of the tokens; empty: none
	adminFile string
	caFile    string
}

// site returns it. Its tokens are made here, by the issuer's keys; what the issuer
// revokes goes to the nodes by HTTP.
func (c runningCluster) site() (*loadSite, error) {
	if c.keysFile == "" || c.adminFile == "" {
		return nil, errors.New("--nodes needs --signing-key-file and --admin-token-file: tokens that the cluster trusts are made here, and refresh tokens are used up there")
	}
	nodes, err := remote.NewNodes(c.urls, c.adminFile, c.caFile)
	if err != nil {
		return nil, err
	}
	keys, err := token.LoadKeySet(c.keysFile)
	if err != nil {
		return nil, err
	}
	s := &loadSite{faces: []string{facePath}, client: nodes[0].Client, admin: nodes[0].Admin}
	s.client.Timeout = answerWithin
	s.close = func() error { s.client.CloseIdleConnections(); return nil }
	for i, n := range nodes {
		s.urls = append(s.urls, n.URL)
		away := &awayNode{site: s, node: i}
		cfg := token.SignerConfig{Issuer: c.issuer, Keys: keys, Checker: away, Revoker: away, Logger: slog.New(slog.DiscardHandler), AccessLifetime: time.Hour}
		if c.audience != "" {
			cfg.Audience = []string{c.audience}
		}
		issuer, err := token.NewIssuer(cfg)
		if err != nil {
			return nil, err
		}
		s.issuers = append(s.issuers, issuer)
	}
	return s, nil
}

// awayNode lets an issuer here use a node there.
type awayNode struct {
	site *loadSite
	node int
}

// Check knows nothing: what the load logs out it does not use again.
func (r *awayNode) Check(rescind.Token) rescind.Verdict { return rescind.Valid }

// Revoke returns no receipt.
func (r *awayNode) Revoke(ctx context.Context, rev rescind.Revocation, _ rescind.Ack) (rescind.Receipt, error) {
	body := map[string]any{"scope": rev.Scope.String(), "iss": rev.Issuer, "id": rev.ID}
	if !rev.IssuedBefore.IsZero() {
		body["issued_before"] = rev.IssuedBefore
	}
	if !rev.ExpiresAt.IsZero() {
		body["expires_at"] = rev.ExpiresAt
	}
	b, err := json.Marshal(body)
	if err != nil {
		return rescind.Receipt{}, err
	}
	status, err := r.site.do(ctx, r.node, http.MethodPost, "/v1/revocations", r.site.admin, b)
	if err == nil && status != http.StatusCreated && status != http.StatusAccepted {
		err = fmt.Errorf("%s answers %d to a revocation", r.site.urls[r.node], status)
	}
	return rescind.Receipt{}, err
}

// do sends one request and returns the status of the answer.
func (s *loadSite) do(ctx context.Context, node int, method, path, bearer string, body []byte) (int, error) {
	var content io.Reader
	if body != nil {
		content = strings.NewReader(string(body))
	}
	req, err := http.NewRequestWithContext(ctx, method, s.urls[node]+path, content)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, process.Drain(resp)
}

// await waits until every node answers that it is ready.
func (s *loadSite) await(ctx context.Context) error {
	for i, u := range s.urls {
		var last error
		err := pace.Until(ctx, func() bool {
			status, err := process.Get(ctx, s.client, u+"/readyz")
			last = err
			return status == http.StatusOK
		})
		if err != nil {
			return fmt.Errorf("node %d (%s) is not ready: %w", i+1, u, errors.Join(err, last))
		}
	}
	return nil
}

// staleness returns what a node in this process states.
func (s *loadSite) staleness() (worst time.Duration, known bool) {
	known = len(s.nodes) > 0
	for _, n := range s.nodes {
		st := n.Staleness()
		worst, known = max(worst, st.Bound), known && st.Known
	}
	return worst, known
}
