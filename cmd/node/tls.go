package main

import (
	"crypto/tls"
	"sync/atomic"
)

// certificate is one that can be replaced while connections are made.
type certificate struct {
	now atomic.Pointer[tls.Certificate] // never nil
}

// loadCertificate returns the certificate of two files, or nil without them.
func loadCertificate(certFile, keyFile string) (*certificate, error) {
	if certFile == "" && keyFile == "" {
		return nil, nil
	}
	pair, err := readCertificate(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	c := new(certificate)
	c.now.Store(pair)
	return c, nil
}

// config returns what a server needs.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.now.Load(), nil },
	}
}
