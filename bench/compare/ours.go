package compare

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"rescind"
	"rescind/bench/apitoken"
	"rescind/bench/pace"
	"rescind/bench/process"
	"rescind/cluster"
	"rescind/token"
)

// inProcess is an API that carries a node.
type inProcess struct {
	node     *cluster.Node
	verifier *token.Verifier
}

func newInProcess(ctx context.Context, p *apitoken.Pool, cfg cluster.Config, cacheTokens int) (*inProcess, error) {
	node, err := cluster.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	v, err := newVerifier(ctx, p, node, cacheTokens)
	if err != nil {
		return nil, errors.Join(err, node.Close())
	}
	return &inProcess{node, v}, nil
}

// newVerifier verifies with a node; cacheTokens as in VerifierConfig.
func newVerifier(ctx context.Context, p *apitoken.Pool, node *cluster.Node, cacheTokens int) (*token.Verifier, error) {
	return token.NewVerifier(ctx, token.VerifierConfig{
		Issuers: []token.IssuerConfig{{Issuer: apitoken.Issuer, Audience: []string{apitoken.Audience}, Algorithms: []string{p.Alg}, JWKS: p.JWKS}},
		Checker: node, CacheTokens: cacheTokens, Logger: slog.New(slog.DiscardHandler),
	})
}

func (a *inProcess) check(_ context.Context, t *apitoken.Token) error {
	_, err := a.verifier.Verify(t.Raw)
	if errors.Is(err, token.ErrRevoked) {
		return errRevokedToken
	}
	return err
}

func (a *inProcess) revoked(_ context.Context, t *apitoken.Token) (bool, error) {
	switch v := a.node.Check(t.Said); v {
	case rescind.Revoked:
		return true, nil
	case rescind.Valid:
		return false, nil
	default:
		return false, fmt.Errorf("the node answers %v", v)
	}
}

func (a *inProcess) revoke(ctx context.Context, t *apitoken.Token) error {
	_, err := a.node.Revoke(ctx, revocationOf(t), rescind.AckLocal)
	return err
}

func revocationOf(t *apitoken.Token) rescind.Revocation {
	return rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: t.Said.Issuer, ID: t.Said.ID}, ExpiresAt: t.Said.ExpiresAt.Time()}
}

func (a *inProcess) close() error {
	a.verifier.Close()
	return a.node.Close()
}

// sidecar is an API beside which a node runs as a process of its own.
type sidecar struct {
	client *http.Client
	url    string
	admin  string
}

func newSidecar(addr, admin string) *sidecar {
	// As many idle connections as callers: Go's default of 2 would close the rest.
	return &sidecar{&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}, "http://" + addr, admin}
}

func (s *sidecar) check(ctx context.Context, t *apitoken.Token) error {
	resp, err := s.do(ctx, http.MethodGet, "/v1/check", t.Raw, "", nil)
	if err != nil {
		return err
	}
	if err := process.Drain(resp); err != nil {
		return err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusUnauthorized:
		return errRevokedToken
	}
	return fmt.Errorf("the sidecar answers %s", resp.Status)
}

func (s *sidecar) revoked(context.Context, *apitoken.Token) (bool, error) { return false, errNotApart }

func (s *sidecar) revoke(ctx context.Context, t *apitoken.Token) error {
	body, err := json.Marshal(map[string]any{"scope": "jti", "iss": t.Said.Issuer, "id": t.Said.ID, "expires_at": t.Said.ExpiresAt.Time()})
	if err != nil {
		return err
	}
	resp, err := s.do(ctx, http.MethodPost, "/v1/revocations?ack=local", s.admin, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	if err := process.Drain(resp); err != nil || resp.StatusCode != http.StatusCreated {
		return errors.Join(err, fmt.Errorf("the sidecar answers %s", resp.Status))
	}
	return nil
}

func (s *sidecar) do(ctx context.Context, method, path, bearer, kind string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	return s.client.Do(req)
}

// memory asks a node what its revocations take.
func (s *sidecar) memory(ctx context.Context) (float64, error) {
	resp, err := s.do(ctx, http.MethodGet, "/metrics", s.admin, "", nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		var bytes float64
		if n, _ := fmt.Sscanf(lines.Text(), "rescind_revocations_bytes %g", &bytes); n == 1 {
			return bytes, nil
		}
	}
	return 0, errors.New("the node does not tell its memory")
}

// introspecting is an API that asks an authorization server about each token (RFC
// 7662). The server is one of our nodes, which has the answer in its memory.
type introspecting struct{ *sidecar }

func (i introspecting) check(ctx context.Context, t *apitoken.Token) error {
	form := url.Values{"token": {t.Raw}}.Encode()
	resp, err := i.do(ctx, http.MethodPost, "/oauth2/introspect", i.admin, "application/x-www-form-urlencoded", strings.NewReader(form))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the authorization server answers %s", resp.Status)
	}
	var answer struct {
		Active bool   `json:"active"`
		Issuer string `json:"iss"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&answer); err != nil {
		return fmt.Errorf("read the introspection: %w", err)
	}
	if !answer.Active {
		return errRevokedToken
	}
	return nil
}

// oursCluster is two API processes' worth of Rescind: two nodes in this process
// and two sidecars, all in one cluster by gossip alone.
type oursCluster struct {
	sidecars [2]*service
	beside   [2]*sidecar
	within   [2]*inProcess
	bytes    [2]float64 // per revocation: in process, sidecar
}

// startOurs starts the cluster and revokes identifiers 0 to n-1 in it.
func startOurs(ctx context.Context, program, dir string, p *apitoken.Pool, n int, g *process.Group) (o *oursCluster, err error) {
	files, err := process.NewNodeFiles(program, dir, apitoken.Issuer, apitoken.Audience, p.Alg, p.JWKS)
	if err != nil {
		return nil, err
	}
	o = &oursCluster{}
	var gossip [2]string
	for i := range gossip {
		if gossip[i], err = process.FreeAddr(); err != nil {
			return nil, err
		}
	}
	for i := range o.sidecars {
		if o.sidecars[i], err = startSidecar(ctx, files, i, gossip); err != nil {
			return nil, err
		}
		g.Defer(o.sidecars[i].stop)
		o.beside[i] = newSidecar(o.sidecars[i].addr, files.Admin)
	}
	for i := range o.within {
		name := fmt.Sprint("api", i+1)
		o.within[i], err = newInProcess(ctx, p, cluster.Config{
			Cluster: "rescind", Name: name, Key: files.Key, DataDir: filepath.Join(dir, name), Logger: slog.New(slog.DiscardHandler),
			Gossip: &cluster.Gossip{Bind: "127.0.0.1:0", Join: gossip[:]},
		}, 0)
		if err != nil {
			return nil, err
		}
		g.Defer(func() { _ = o.within[i].close() }) // it only leaves
	}
	return o, o.fill(ctx, n)
}

func startSidecar(ctx context.Context, files *process.NodeFiles, i int, gossip [2]string) (*service, error) {
	addr, err := process.FreeAddr()
	if err != nil {
		return nil, err
	}
	args := files.Command(fmt.Sprint("sidecar", i+1), addr, "--gossip.bind", gossip[i], "--gossip.join", gossip[1-i])
	if i == 0 {
		args = append(args, "--cluster.bootstrap", "true") // the other does not run yet, and it can't know that
	}
	return startService(ctx, service{
		name: "rescind serve", addr: addr, signal: syscall.SIGTERM, crash: syscall.SIGKILL,
		command: func() *exec.Cmd { return exec.Command(args[0], args[1:]...) },
		there:   process.ReadyAt(http.DefaultClient, addr),
	})
}

// fill revokes on one node and waits until all hold everything.
func (o *oursCluster) fill(ctx context.Context, n int) error {
	const callers = 64
	errs := make([]error, callers)
	var calls sync.WaitGroup
	for c := range callers {
		calls.Go(func() {
			for i := c; i < n && errs[c] == nil; i += callers {
				t := rescind.Token{Issuer: apitoken.Issuer, ID: apitoken.ID(uint64(i)), ExpiresAt: rescind.MillisOf(time.Now().Add(2 * time.Hour))}
				errs[c] = o.within[0].revoke(ctx, &apitoken.Token{Said: t})
			}
		})
	}
	calls.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("fill our nodes: %w", err)
	}
	if err := pace.Until(ctx, func() bool { return o.within[1].node.Status().Total >= n }); err != nil {
		return fmt.Errorf("wait until our nodes hold everything: %w", err)
	}
	o.bytes[0] = float64(o.within[1].node.Status().Filter.Bytes) / float64(n)
	bytes, err := o.beside[1].memory(ctx)
	o.bytes[1] = bytes / float64(n)
	return err
}
