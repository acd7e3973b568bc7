package main

import (
	"crypto/tls"
	"fmt"
	"sync/atomic"
)

// certificate is one that can be replaced while connections are made.
type certificate struct {
	certFile, keyFile string
	now               atomic.Pointer[tls.Certificate]
}

// loadCertificate returns the certificate of two files, or nil without them.
func loadCertificate(certFile, keyFile string) (*certificate, error) {
	if certFile == "" && keyFile == "" {
		return nil, nil
	}
	c := &certificate{certFile: certFile, keyFile: keyFile}
	return c, c.load()
}

// load reads the files again. On an error the certificate stays as it was.
func (c *certificate) load() error {
	if c.certFile == "" || c.keyFile == "" {
		return fmt.Errorf("http.tls-cert-file and http.tls-key-file go together; set both or none")
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("http.tls-cert-file, http.tls-key-file: %w", err)
	}
	c.now.Store(&pair)
	return nil
}

// config returns what a server needs.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.now.Load(), nil },
	}
}
