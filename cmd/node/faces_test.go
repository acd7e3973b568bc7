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
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
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
func get(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

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
	dir, addrs := t.TempDir(), freePorts(t, 3)
	file := func(name string) string { return filepath.Join(dir, name) }
	const alice, bob, secret = "token-of-alice-0123456789", "token-of-bob-0123456789", "secret-of-the-server"
	writeCertificate(t, dir, 1)
	put(t, file("admins.yaml"), "- {name: alice, sha256: "+hashOf(t, "admin", alice)+"}\n")
	put(t, file("clients.yaml"), "- id: server\n  secret-hash: "+hashOf(t, "client", secret)+"\n  introspect: true\n")
	var out bytes.Buffer
	if code := run(t.Context(), env{[]string{"keys", "generate", "--dir", dir}, nil, &out, &out}); code != 0 {
		t.Fatal(out.String())
	}
	put(t, file("transport.keys"), get(t, file("cluster.key")))
	args := []string{
		"--cluster.key-file", file("cluster.key"), "--cluster.transport-keys-file", file("transport.keys"),
		"--http.addr", addrs[0], "--admin.addr", addrs[1], "--grpc.addr", addrs[2], "--data.dir", file("data"), "--tokens.issuers", file("issuers.yaml"),
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

	// Envoy's face, with the same certificate.
	conn, err := grpc.NewClient(addrs[2], grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer, err := auth.NewAuthorizationClient(conn).Check(t.Context(), &auth.CheckRequest{})
	if err != nil || answer.GetDeniedResponse().GetStatus().GetCode() != 401 {
		t.Errorf("by gRPC: %v %v", answer, err)
	}
	watch, err := grpc_health_v1.NewHealthClient(conn).Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil { // goes on, and must not keep the node from ending
		t.Fatal(err)
	}

	// Transport keys: a second one is installed; a line that is none changes nothing.
	key := strings.TrimSpace(get(t, file("cluster.key")))
	const second = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE"
	put(t, file("transport.keys"), key+"\n"+second+"\n")
	await(t, "the transport keys are read again", func() bool { return strings.Contains(p.out.String(), `what="transport keys"`) })
	put(t, file("transport.keys"), second+"\nno key at all\n")
	await(t, "a bad line is told", func() bool { return strings.Contains(p.out.String(), "line 2 of") })
	if strings.Contains(p.out.String(), second) || strings.Contains(p.out.String(), "no key at all") {
		t.Error("the log tells a transport key")
	}

	// A file of revocations, one of them wrong.
	put(t, file("leaked"), "{\"scope\":\"jti\",\"id\":\"a\"}\n{\"scope\":\"x\",\"id\":\"b\"}\n{\"scope\":\"jti\",\"id\":\"c\"}\n")
	out.Reset()
	code := run(t.Context(), env{[]string{"revoke", "--file", file("leaked"), "--addr", "https://" + addrs[1], "--ca-file", file("cert.pem"), "--admin-token-file", file("admin")}, nil, &out, &out})
	if code != 1 || !strings.Contains(out.String(), "line 2: ") || !strings.Contains(out.String(), "3 lines, 2 revoked, 1 failed") {
		t.Errorf("revoke --file exits with %d: %s", code, out.String())
	}

	// A revocation is seen by who watches.
	watching, stopWatching := context.WithCancel(t.Context())
	var seen lockedBuffer
	watched := make(chan int)
	go func() {
		watched <- run(watching, env{[]string{"watch", "--addr", "https://" + addrs[1], "--ca-file", file("cert.pem"), "--admin-token-file", file("admin")}, nil, &seen, &seen})
	}()
	await(t, "the revocation is seen", func() bool { // until the watch has begun
		var answer bytes.Buffer
		if code := run(t.Context(), env{[]string{"revoke", "--scope", "sub", "--id", rand.Text(), "--addr", "https://" + addrs[1], "--ca-file", file("cert.pem"), "--admin-token-file", file("admin")}, nil, &answer, &answer}); code != 0 {
			t.Fatal(answer.String())
		}
		return strings.Contains(seen.String(), "revoked sub") && strings.Contains(seen.String(), "accepted here")
	})
	stopWatching()
	if code := <-watched; code != 0 {
		t.Errorf("watch exits with %d: %s", code, seen.String())
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
