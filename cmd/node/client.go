package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

// client talks to a running node.
type client struct {
	base  string
	admin string
	json  bool
	http  http.Client
}

// clientFlags adds the flags that every client command has.
type clientFlags struct {
	addr, adminFile, caFile *string
	certFile, keyFile       *string
	json                    *bool
}

// addClientFlags adds them for a command that talks to the first of the named
// environment variables that is set, by default http.addr.
func addClientFlags(fs *flag.FlagSet, first ...string) clientFlags {
	return clientFlags{
		addr:      fs.String("addr", localAddr(first...), "address of the node: host:port or a URL"),
		adminFile: fs.String("admin-token-file", os.Getenv("RESCIND_ADMIN_TOKEN_FILE"), "file with the admin token"),
		caFile:    fs.String("ca-file", os.Getenv("RESCIND_HTTP_TLS_CERT_FILE"), "file with the certificates to trust besides the system's, in PEM"),
		certFile:  fs.String("cert-file", os.Getenv("RESCIND_CLIENT_CERT_FILE"), "file with a client certificate that makes its holder an operator, in PEM"),
		keyFile:   fs.String("key-file", os.Getenv("RESCIND_CLIENT_KEY_FILE"), "file with its private key, in PEM"),
		json:      fs.Bool("json", false, "print JSON"),
	}
}

// adminAddr is where the admin endpoints are if not at http.addr.
const adminAddr = "RESCIND_ADMIN_ADDR"

// localAddr is the node that the environment configures, reached from here.
func localAddr(first ...string) string {
	addr := "127.0.0.1:8080"
	for _, name := range append(first, "RESCIND_HTTP_ADDR") {
		if set := os.Getenv(name); set != "" {
			addr = set
			break
		}
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "127.0.0.1:8080"
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	if os.Getenv("RESCIND_HTTP_TLS_CERT_FILE") != "" {
		return "https://" + net.JoinHostPort(host, port)
	}
	return net.JoinHostPort(host, port)
}

func (f clientFlags) client() (*client, error) {
	base := *f.addr
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	if u, err := url.Parse(base); err != nil || u.Host == "" {
		return nil, usage("--addr is %q; use host:port or a URL", *f.addr)
	}
	c := &client{base: strings.TrimSuffix(base, "/"), json: *f.json, http: http.Client{Timeout: 70 * time.Second}}
	settings, err := f.tls()
	if err != nil {
		return nil, err
	}
	c.http.Transport = &http.Transport{TLSClientConfig: settings, ForceAttemptHTTP2: true}
	if *f.adminFile != "" {
		b, err := os.ReadFile(*f.adminFile)
		if err != nil {
			return nil, usage("--admin-token-file: %v", err)
		}
		c.admin = strings.TrimSpace(string(b))
	}
	return c, nil
}

// tls returns whom to trust, and the certificate to show.
func (f clientFlags) tls() (*tls.Config, error) {
	c := new(tls.Config)
	if *f.caFile != "" {
		roots, err := trust(*f.caFile)
		if err != nil {
			return nil, usage("--ca-file: %v", err)
		}
		c.RootCAs = roots
	}
	if (*f.certFile == "") != (*f.keyFile == "") {
		return nil, usage("--cert-file and --key-file go together")
	}
	if *f.certFile != "" {
		pair, err := tls.LoadX509KeyPair(*f.certFile, *f.keyFile)
		if err != nil {
			return nil, usage("--cert-file, --key-file: %v", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

func trust(caFile string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", caFile)
	}
	return roots, nil
}

// do sends a request with a bearer token and returns the status and the body.
func (c *client) do(ctx context.Context, method, path, bearer string, body any) (int, []byte, error) {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, nil, fmt.Errorf("encode the request: %w", err)
		}
		content = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return 0, nil, usage("%v", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, &exitError{exitUnreachable, fmt.Errorf("reach the node: %w", err)}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return 0, nil, &exitError{exitUnreachable, fmt.Errorf("read the node's answer: %w", err)}
	}
	return resp.StatusCode, answer, nil
}

// stream sends a request of the operator's whose answer is read as it comes,
// however long that takes. The caller closes it.
func (c *client) stream(ctx context.Context, method, path string, body io.Reader, mediaType string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, usage("%v", err)
	}
	if mediaType != "" {
		req.Header.Set("Content-Type", mediaType)
	}
	if c.admin != "" {
		req.Header.Set("Authorization", "Bearer "+c.admin)
	}
	c.http.Timeout = 0
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, &exitError{exitUnreachable, fmt.Errorf("reach the node: %w", err)}
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		answer, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
		return nil, problemOf(resp.StatusCode, answer)
	}
	return resp.Body, nil
}

// problemOf makes an error of a refusal.
func problemOf(status int, answer []byte) error {
	var p struct{ Title, Detail string }
	_ = json.Unmarshal(answer, &p) // what is no problem+json has neither
	return fmt.Errorf("the node answers %d: %s", status, cmp.Or(p.Detail, p.Title, http.StatusText(status)))
}

// runHealthcheck exits with 0 if the node is ready.
func runHealthcheck(ctx context.Context, e env) error {
	fs := newFlags(e, "healthcheck", "healthcheck [--addr HOST:PORT]")
	flags := addClientFlags(fs)
	if err := parse(fs, e, 0); err != nil {
		return err
	}
	c, err := flags.client()
	if err != nil {
		return err
	}
	// It sends nothing that is secret, and the certificate is for the name by
	// which others know this node.
	if t, ok := c.http.Transport.(*http.Transport); ok {
		t.TLSClientConfig.InsecureSkipVerify = true
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	status, answer, err := c.do(ctx, http.MethodGet, "/readyz", "", nil)
	if err == nil && status != http.StatusOK {
		err = &exitError{exitRefused, fmt.Errorf("not ready: %s", bytes.TrimSpace(answer))}
	}
	return err
}

// runCheck asks a node about the token on standard input or in a file, never
// in an argument, which other users of the machine could read.
func runCheck(ctx context.Context, e env) error {
	fs := newFlags(e, "check", "check [--addr HOST:PORT] [--explain --admin-token-file FILE] [FILE]\n\nReads the token from FILE or standard input. With --explain an operator is told\nwhy, step by step and scope by scope. Exit code: 0 valid, 1 revoked or\ninvalid, 2 usage, 3 unreachable, 4 stale or not ready.")
	flags := addClientFlags(fs)
	explain := fs.Bool("explain", false, "say why, step by step and scope by scope; needs the admin token, and goes to admin.addr if there is one")
	if err := parse(fs, e, 1); err != nil {
		return err
	}
	raw, err := readToken(e, fs.Arg(0))
	if err != nil {
		return err
	}
	if *explain && !given(fs, "addr") {
		*flags.addr = localAddr(adminAddr)
	}
	c, err := flags.client()
	if err != nil {
		return err
	}
	if *explain {
		return c.explain(ctx, e, raw)
	}
	status, answer, err := c.do(ctx, http.MethodGet, "/v1/check", raw, nil)
	if err != nil {
		return err
	}
	code, word := exitRefused, "refused"
	switch {
	case status == http.StatusOK:
		code, word = exitOK, "valid"
	case status == http.StatusServiceUnavailable:
		code, word = exitStale, "unknown"
	case status != http.StatusUnauthorized:
		return problemOf(status, answer)
	}
	c.print(e.stdout, map[string]any{"verdict": word, "status": status}, word)
	if code == exitOK {
		return nil
	}
	return &exitError{code, problemOf(status, answer)}
}

// given reports whether a flag was set on the command line.
func given(fs *flag.FlagSet, name string) (set bool) {
	fs.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

func readToken(e env, file string) (string, error) {
	in := e.stdin
	if file != "" && file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", usage("read the token: %v", err)
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, 64<<10))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	if b = bytes.TrimSpace(b); len(b) == 0 {
		return "", usage("there is no token in the input")
	}
	return string(b), nil
}

// runRevoke revokes by key, or the token on standard input.
func runRevoke(ctx context.Context, e env) error {
	fs := newFlags(e, "revoke", "revoke --scope SCOPE --id ID [--iss ISSUER] [--ack all] | revoke --token FILE | revoke --file FILE")
	flags := addClientFlags(fs, adminAddr)
	body := map[string]any{}
	for name, help := range map[string]string{
		"scope": "jti, sid, sub, client_id, kid or iss", "id": "identifier in that scope", "iss": "issuer; may be left out if the node has one",
		"issued_before": "RFC 3339; default now for sub and iss, and for ever for the others", "expires_at": "RFC 3339; default the maximum token lifetime from now", "reason": "for the audit log",
	} {
		fs.Func(name, help, func(v string) error { body[name] = v; return nil })
	}
	file := fs.String("token", "", "file with the token to revoke, - for standard input")
	ack := fs.String("ack", "", "local, majority, all or a number of other nodes")
	timeout := fs.Duration("timeout", 2*time.Second, "how long to wait for other nodes")
	bulk := fs.String("file", "", "file with one revocation a line, as JSON with the names of these flags; - for standard input")
	if err := parse(fs, e, 0); err != nil {
		return err
	}
	if *file != "" {
		raw, err := readToken(e, *file)
		if err != nil {
			return err
		}
		body["token"] = raw
	}
	c, err := flags.client()
	if err != nil {
		return err
	}
	query := url.Values{"timeout": {timeout.String()}}
	if *ack != "" {
		query.Set("ack", *ack)
	}
	if *bulk != "" {
		return c.revokeFile(ctx, e, *bulk, query)
	}
	status, answer, err := c.do(ctx, http.MethodPost, "/v1/revocations?"+query.Encode(), c.admin, body)
	if err != nil {
		return err
	}
	if status != http.StatusCreated && status != http.StatusAccepted {
		return problemOf(status, answer)
	}
	if c.json {
		_, err = fmt.Fprintf(e.stdout, "%s\n", bytes.TrimSpace(answer))
		return err
	}
	var receipt receiptView
	if err := json.Unmarshal(answer, &receipt); err != nil {
		return fmt.Errorf("read the node's answer: %w", err)
	}
	return receipt.print(e.stdout)
}

// clusterView is what the tables show of GET /v1/cluster.
type clusterView struct {
	Cluster, Name string
	Ready         bool
	Reasons       []string
	StalenessMS   *float64 `json:"staleness_ms"`
	Members       []struct {
		Name, State string
		StalenessMS *float64 `json:"staleness_ms"`
		LastHeardMS float64  `json:"last_heard_ms"`
		Behind      uint64
		Unacked     uint64
	}
	Revocations struct{ Total, Max int }
}

func runStatus(ctx context.Context, e env) error {
	return showCluster(ctx, e, "status", func(w io.Writer, v clusterView) {
		fmt.Fprintf(w, "node\t%s of cluster %s\nready\t%v\nstaleness\t%s\nrevocations\t%d of %d\nmembers\t%d\n",
			v.Name, v.Cluster, v.Ready, millis(v.StalenessMS), v.Revocations.Total, v.Revocations.Max, len(v.Members))
		for _, r := range v.Reasons {
			fmt.Fprintf(w, "note\t%s\n", r)
		}
	})
}

func runMembers(ctx context.Context, e env) error {
	return showCluster(ctx, e, "members", func(w io.Writer, v clusterView) {
		fmt.Fprintln(w, "NAME\tSTATE\tSTALENESS\tLAST HEARD\tBEHIND\tUNACKED")
		for _, m := range v.Members {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\n", m.Name, m.State, millis(m.StalenessMS), millis(&m.LastHeardMS), m.Behind, m.Unacked)
		}
	})
}

func millis(ms *float64) string {
	if ms == nil {
		return "unknown"
	}
	return fmt.Sprintf("%.0f ms", *ms)
}

func showCluster(ctx context.Context, e env, name string, table func(io.Writer, clusterView)) error {
	fs := newFlags(e, name, name+" [--addr HOST:PORT] --admin-token-file FILE [--json]")
	flags := addClientFlags(fs, adminAddr)
	if err := parse(fs, e, 0); err != nil {
		return err
	}
	c, err := flags.client()
	if err != nil {
		return err
	}
	status, answer, err := c.do(ctx, http.MethodGet, "/v1/cluster", c.admin, nil)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return problemOf(status, answer)
	}
	if c.json {
		_, err := e.stdout.Write(answer)
		return err
	}
	var v clusterView
	if err := json.Unmarshal(answer, &v); err != nil {
		return fmt.Errorf("read the node's answer: %w", err)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 8, 2, ' ', 0)
	table(w, v)
	return w.Flush()
}

// print writes v as JSON or the words for people.
func (c *client) print(w io.Writer, v any, words string) {
	if c.json {
		_ = json.NewEncoder(w).Encode(v)
		return
	}
	fmt.Fprintln(w, words)
}
