package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeCertificate writes a self-signed certificate for 127.0.0.1 with this
// serial number, and its key.
func writeCertificate(t *testing.T, dir string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "rescind"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	put(t, filepath.Join(dir, "cert.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

// put replaces a file as a whole.
func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func hashOf(t *testing.T, use, secret string) string {
	t.Helper()
	var out bytes.Buffer
	if code := run(t.Context(), env{[]string{"keys", "hash", "--for", use}, strings.NewReader(secret + "\n"), &out, &out}); code != 0 {
		t.Fatal(out.String())
	}
	return strings.TrimSpace(out.String())
}

// TestFaces runs the binary with everything that the HTTP face can be given: TLS,
// a listener for admins, named admins, clients, signed introspection; and
// replaces the files while it runs.
func TestFaces(t *testing.T) {
	dir, addrs := t.TempDir(), freePorts(t, 2)
	file := func(name string) string { return filepath.Join(dir, name) }
	const alice, bob, secret = "token-of-alice-0123456789", "token-of-bob-0123456789", "secret-of-the-server"
	writeCertificate(t, dir, 1)
	put(t, file("admins.yaml"), "- {name: alice, sha256: "+hashOf(t, "admin", alice)+"}\n")
	put(t, file("clients.yaml"), "- id: server\n  secret-hash: "+hashOf(t, "client", secret)+"\n  introspect: true\n")
	var out bytes.Buffer
	if code := run(t.Context(), env{[]string{"keys", "generate", "--dir", dir}, nil, &out, &out}); code != 0 {
		t.Fatal(out.String())
	}
	args := []string{
		"--http.addr", addrs[0], "--admin.addr", addrs[1], "--data.dir", file("data"), "--tokens.issuers", file("issuers.yaml"),
		"--http.tls-cert-file", file("cert.pem"), "--http.tls-key-file", file("key.pem"),
		"--admin.tokens-file", file("admins.yaml"), "--oauth.clients-file", file("clients.yaml"),
		"--oauth.key-file", file("oauth.jwks"), "--oauth.issuer", "https://rescind.example", "--shutdown.delay", "0s",
	}
	out.Reset()
	if code := run(t.Context(), env{append([]string{"config", "check"}, args...), nil, &out, &out}); code != 0 {
		t.Fatal(out.String())
	}
	p := start(t, dir, binary(t, "rescind"), append([]string{"serve"}, args...)...)

	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	ask := func(addr, path, bearer, form string) (*http.Response, string) {
		method := "GET"
		if form != "" {
			method = "POST"
		}
		req, err := http.NewRequestWithContext(t.Context(), method, "https://"+addr+path, strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		if form != "" {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.SetBasicAuth("server", secret)
			req.Header.Set("Accept", "application/token-introspection+jwt")
		} else if bearer != "" {
			req.Header.Set("Authorization", "Bearer "+bearer)
		}
		resp, err := client.Do(req)
		if err != nil {
			return &http.Response{}, err.Error()
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp, string(body)
	}
	status := func(addr, path, bearer string) int { resp, _ := ask(addr, path, bearer, ""); return resp.StatusCode }
	await(t, "ready", func() bool { return status(addrs[0], "/readyz", "") == 200 })

	resp, body := ask(addrs[0], "/oauth2/introspect", "", "token=x")
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/token-introspection+jwt" || strings.Count(body, ".") != 2 || resp.ProtoMajor != 2 {
		t.Errorf("introspection answers %d %v by %s: %s", resp.StatusCode, resp.Header, resp.Proto, body)
	}
	for _, c := range []struct {
		addr, path, bearer string
		want               int
	}{
		{addrs[0], "/v1/cluster", alice, 404}, // only on its own listener
		{addrs[1], "/v1/cluster", alice, 200},
		{addrs[1], "/v1/cluster", bob, 401},
		{addrs[1], "/v1/check", alice, 404},
		{addrs[1], "/readyz", "", 200},
		{addrs[0], "/.well-known/jwks.json", "", 200},
	} {
		if got := status(c.addr, c.path, c.bearer); got != c.want {
			t.Errorf("%s answers %d, want %d", c.path, got, c.want)
		}
	}
	out.Reset()
	if code := run(t.Context(), env{[]string{"healthcheck", "--addr", "https://" + addrs[0], "--ca-file", file("cert.pem")}, nil, &out, &out}); code != 0 {
		t.Error(out.String())
	}
	put(t, file("admin"), alice)
	out.Reset()
	if code := run(t.Context(), env{[]string{"status", "--addr", "https://" + addrs[1], "--ca-file", file("cert.pem"), "--admin-token-file", file("admin")}, nil, &out, &out}); code != 0 {
		t.Error(out.String())
	}

	// All of it is replaced, and once by nonsense, which changes nothing.
	put(t, file("admins.yaml"), "- {name: alice, token: x}\n")
	await(t, "the nonsense is noticed", func() bool { return strings.Contains(p.out.String(), "stays in force") })
	if got := status(addrs[1], "/v1/cluster", alice); got != 200 {
		t.Errorf("after a bad file alice gets %d", got)
	}
	put(t, file("admins.yaml"), "- {name: bob, sha256: "+hashOf(t, "admin", bob)+"}\n")
	writeCertificate(t, dir, 2)
	await(t, "the admins are replaced", func() bool {
		return status(addrs[1], "/v1/cluster", alice) == 401 && status(addrs[1], "/v1/cluster", bob) == 200
	})
	await(t, "the certificate is replaced", func() bool {
		resp, _ := ask(addrs[0], "/readyz", "", "")
		return resp.TLS != nil && resp.TLS.PeerCertificates[0].SerialNumber.Int64() == 2
	})
	if log := p.out.String(); strings.Contains(log, alice) || strings.Contains(log, bob) || strings.Contains(log, secret) {
		t.Error("the log tells a secret")
	}
	if err := p.end(t, os.Interrupt); err != nil {
		t.Errorf("after SIGINT: %v", err)
	}
}

func TestWatchFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	applied := make(chan string)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		watchFiles(ctx, []reload{{"f", []string{path}, func() error {
			b, err := os.ReadFile(path)
			applied <- string(b)
			return err
		}}}, time.Millisecond, slog.New(slog.DiscardHandler))
	}()
	put(t, path, "one")
	for got := <-applied; got != "one"; got = <-applied {
	}
	put(t, path, "longer")
	for got := <-applied; got != "longer"; got = <-applied {
	}
	stop()
	for {
		select {
		case <-applied: // a change that was seen twice
			continue
		case <-ended:
		}
		return
	}
}
