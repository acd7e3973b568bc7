// Package remote asks the nodes of a running cluster by HTTP.
package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"rescind"
)

// Node is a node of a running cluster, reached by HTTP.
type Node struct {
	URL    string // without a slash at the end
	Name   string
	Client *http.Client
	Admin  string // never printed
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 4 << 20

// NewNodes reads a list of URLs. Certificates in caFile are trusted
// besides the system's.
func NewNodes(list, adminTokenFile, caFile string) ([]*Node, error) {
	if adminTokenFile == "" {
		return nil, errors.New("name the file of the cluster's admin token by --admin-token-file")
	}
	admin, err := os.ReadFile(adminTokenFile)
	if err != nil {
		return nil, fmt.Errorf("read the admin token: %w", err)
	}
	client, err := remoteClient(caFile)
	if err != nil {
		return nil, err
	}
	var nodes []*Node
	for text := range strings.SplitSeq(list, ",") {
		u, err := url.Parse(strings.TrimSpace(text))
		if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
			return nil, errors.New("nodes: each URL is http://host:port or https://host:port, without a user")
		}
		nodes = append(nodes, &Node{URL: strings.TrimSuffix(u.String(), "/"), Client: client, Admin: strings.TrimSpace(string(admin))})
	}
	if len(nodes) < 2 || len(nodes) > 100 {
		return nil, errors.New("nodes: give the URLs of 2 to 100 nodes, each by itself and not by a load balancer")
	}
	return nodes, nil
}

// remoteClient keeps a connection open for each call under way, so that none
// pays for a handshake while it is measured.
func remoteClient(caFile string) (*http.Client, error) {
	t := &http.Transport{MaxIdleConnsPerHost: 1024, IdleConnTimeout: time.Minute, DisableCompression: true}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("read --ca-file: %w", err)
		}
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, errors.New("--ca-file holds no certificate in PEM")
		}
		t.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	noRedirect := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // would take the admin token elsewhere
	return &http.Client{Transport: t, CheckRedirect: noRedirect}, nil
}

// do sends a request and decodes the answer into out, if that is not nil. It
// returns the status, whatever it is, and an error only if there is no answer
// or it can't be read.
func (n *Node) do(ctx context.Context, method, path, bearer string, body []byte, out any) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, n.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := n.Client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, err
	}
	if out != nil && resp.StatusCode < 300 {
		err = json.Unmarshal(answer, out)
	}
	return resp.StatusCode, err
}

// Status is what GET /v1/cluster says, as far as it is used here.
type Status struct {
	Name    string
	Version string
	Ready   bool
	Members []struct{ Name, State string }

	Carriers []struct {
		Name  string
		First float64
	}
}

// Status asks the node what it knows of its cluster.
func (n *Node) Status(ctx context.Context) (s Status, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	code, err := n.do(ctx, http.MethodGet, "/v1/cluster", n.Admin, nil, &s)
	switch {
	case err != nil:
		return s, fmt.Errorf("ask %s for its state: %w", n.URL, err)
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return s, fmt.Errorf("%s does not accept the admin token (%d)", n.URL, code)
	case code != http.StatusOK:
		return s, fmt.Errorf("%s answers GET /v1/cluster with %d", n.URL, code)
	}
	return s, nil
}

// receipt is the answer to a revocation.
type receipt struct {
	Acknowledged []struct {
		Node string
		MS   float64
	}
}

// Revoke revokes key until expires and waits for all members at most for
// timeout.
func (n *Node) Revoke(ctx context.Context, key rescind.Key, expires time.Time, timeout time.Duration) (r receipt, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout+5*time.Second)
	defer cancel()
	fields := map[string]any{"scope": key.Scope.String(), "id": key.ID, "expires_at": expires.Unix(), "reason": "bench propagation"}
	if key.Issuer != "" {
		fields["iss"] = key.Issuer
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return r, err
	}
	code, err := n.do(ctx, http.MethodPost, "/v1/revocations?ack=all&timeout="+url.QueryEscape(timeout.String()), n.Admin, body, &r)
	if err == nil && code != http.StatusCreated && code != http.StatusAccepted {
		err = fmt.Errorf("%s answers a revocation with %d", n.URL, code)
	}
	return r, err
}

// Check asks the node about a token. Neither yes nor no is an error.
func (n *Node) Check(ctx context.Context, raw string) (refused bool, err error) {
	code, err := n.do(ctx, http.MethodGet, "/v1/check", raw, nil, nil)
	switch {
	case err != nil:
		return false, err
	case code == http.StatusOK:
		return false, nil
	case code == http.StatusUnauthorized:
		return true, nil
	default:
		return false, fmt.Errorf("%s answers a check with %d", n.URL, code)
	}
}
