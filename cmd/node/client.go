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
	c := &client{base: strings.TrimSuffix(base, "/"), json: *f.json, http: http.Client{Timeout: 70 * time.Second, CheckRedirect: noRedirect}}
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
	status, _, answer, err := c.exchange(ctx, method, path, bearer, body)
	return status, answer, err
}

// noRedirect: no node redirects, and a page to log in at is no answer of one.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// exchange is do that returns the headers, too.
func (c *client) exchange(ctx context.Context, method, path, bearer string, body any) (int, http.Header, []byte, error) {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, nil, nil, fmt.Errorf("encode the request: %w", err)
		}
		content = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return 0, nil, nil, usage("%v", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, nil, &exitError{exitUnreachable, fmt.Errorf("reach the node: %w", err)}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return 0, nil, nil, &exitError{exitUnreachable, fmt.Errorf("read the node's answer: %w", err)}
	}
	return resp.StatusCode, resp.Header, answer, nil
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
	_ = decodeAnswer(answer, &p) // what is no problem+json has neither
	return fmt.Errorf("the node answers %d: %s", status, cmp.Or(p.Detail, p.Title, http.StatusText(status)))
}

// given reports whether a flag was set on the command line.
func given(fs *flag.FlagSet, name string) (set bool) {
	fs.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// print writes v as JSON or the words for people.
func (c *client) print(w io.Writer, v any, words string) {
	if c.json {
		_ = json.NewEncoder(w).Encode(v)
		return
	}
	fmt.Fprintln(w, words)
}
