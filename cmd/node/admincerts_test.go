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
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rescind/cmd/node/config"
)

// writeClient writes a client certificate for name of the authority in dir's
// cert.pem and key.pem, with its key, and an authority's list that revokes it.
func writeClient(t *testing.T, dir, name string) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, pair.Leaf, key.Public(), pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	list := &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: c.SerialNumber, RevocationTime: time.Now()}},
	}
	issuer := *pair.Leaf
	issuer.KeyUsage, issuer.SubjectKeyId = x509.KeyUsageCRLSign, pair.Leaf.SubjectKeyId
	crl, err := x509.CreateRevocationList(rand.Reader, list, &issuer, pair.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: private}, name + ".crl": {Type: "X509 CRL", Bytes: crl},
	} {
		put(t, filepath.Join(dir, file), string(pem.EncodeToMemory(block)))
	}
}

// An operator with a certificate needs no token, until the certificate is revoked.
func TestOperatorByCertificateFile(t *testing.T) {
	dir, addr := t.TempDir(), freePorts(t, 1)[0]
	file := func(name string) string { return filepath.Join(dir, name) }
	writeCertificate(t, dir, 1)
	writeClient(t, dir, "alice")
	writeClient(t, dir, "bob")
	put(t, file("revoked.crl"), get(t, file("bob.crl")))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	var log lockedBuffer
	go func() {
		ended <- run(ctx, env{[]string{"serve", "--http.addr", addr, "--data.dir", file("data"), "--shutdown.delay", "0s", "--http.tls-cert-file", file("cert.pem"), "--http.tls-key-file", file("key.pem"),
			"--admin.client-ca-file", file("cert.pem"), "--admin.client-crl-file", file("revoked.crl"), "--admin.client-names", "cn:alice", "--admin.client-names=cn:bob"}, strings.NewReader(""), io.Discard, &log})
	}()
	defer func() {
		stop()
		if code := <-ended; code != 0 || t.Failed() {
			t.Errorf("serve ends with %d:\n%s", code, log.String())
		}
	}()
	as := func(who string, args ...string) (int, string) {
		var out bytes.Buffer
		code := run(t.Context(), env{append(args, "--addr", "https://"+addr, "--ca-file", file("cert.pem"), "--cert-file", file(who+".pem"), "--key-file", file(who+".key")), nil, &out, &out})
		return code, out.String()
	}
	await(t, "ready", func() bool { code, _ := as("alice", "status"); return code == 0 })
	if code, out := as("alice", "revoke", "--scope", "jti", "--id", "x", "--iss", "i"); code != 0 || !strings.Contains(log.String(), "caller=cn:alice") {
		t.Errorf("revoke exits with %d: %s", code, out)
	}
	if code, out := as("bob", "status"); code == 0 || !strings.Contains(out, "admin token") {
		t.Errorf("a revoked certificate: %d %s", code, out)
	}
	put(t, file("revoked.crl"), get(t, file("alice.crl")))
	await(t, "the list is read again", func() bool { code, _ := as("alice", "status"); return code != 0 })
	if code, out := as("bob", "status"); code != 0 {
		t.Errorf("a certificate that is revoked no longer: %d %s", code, out)
	}
	var out bytes.Buffer
	if code := run(t.Context(), env{[]string{"status", "--addr", "https://" + addr, "--cert-file", file("bob.pem")}, nil, &out, &out}); code != exitUsage {
		t.Errorf("a certificate without its key: %d %s", code, out.String())
	}
}

// Files that are not what they should be are refused, and not repeated.
func TestClientCertificateFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	writeCertificate(t, dir, 1)
	writeClient(t, dir, "alice")
	put(t, file("empty"), "")
	put(t, file("more"), get(t, file("cert.pem"))+"secret words")
	put(t, file("broken"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	for name, c := range map[string]struct {
		ca, crl, names, cert string
		want                 string
	}{
		"good":                {"cert.pem", "alice.crl", "cn:alice", "cert.pem", ""},
		"no file":             {"none", "", "cn:alice", "cert.pem", "no such file"},
		"a key":               {"key.pem", "", "cn:alice", "cert.pem", "another type"},
		"empty":               {"empty", "", "cn:alice", "cert.pem", "or nothing"},
		"something after it":  {"more", "", "cn:alice", "cert.pem", "besides PEM blocks"},
		"broken":              {"broken", "", "cn:alice", "cert.pem", "block 1"},
		"a list of none":      {"cert.pem", "cert.pem", "cn:alice", "cert.pem", "another type"},
		"nobody named":        {"cert.pem", "", "", "cert.pem", "go together"},
		"nobody certifies":    {"", "", "cn:alice", "cert.pem", "go together"},
		"a list for nobody":   {"", "alice.crl", "", "cert.pem", "go together"},
		"no TLS to show them": {"cert.pem", "", "cn:alice", "", "http.tls-cert-file"},
	} {
		cfg := new(config.Config)
		path := func(name string) string {
			if name == "" {
				return ""
			}
			return file(name)
		}
		cfg.Admin.ClientCAFile, cfg.Admin.ClientCRLFile, cfg.HTTP.CertFile = path(c.ca), path(c.crl), path(c.cert)
		if c.names != "" {
			cfg.Admin.ClientNames = []string{c.names}
		}
		_, err := adminCertificates(cfg)
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret words")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
