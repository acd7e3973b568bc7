package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"

	"rescind/cmd/node/config"
	"rescind/httpapi"
)

// maxPEM bounds a file of certificates, or of revoked ones, in bytes.
const maxPEM = 16 << 20

// adminCertificates reads who may be an operator by a client certificate, or nil if
// nobody may.
func adminCertificates(c *config.Config) (*httpapi.AdminCertificates, error) {
	switch ca, names := c.Admin.ClientCAFile != "", len(c.Admin.ClientNames) > 0; {
	case !ca && !names && c.Admin.ClientCRLFile == "":
		return nil, nil
	case !ca || !names:
		return nil, errors.New("admin.client-ca-file and admin.client-names go together, and admin.client-crl-file with both")
	case c.HTTP.CertFile == "":
		return nil, errors.New("admin.client-ca-file: set http.tls-cert-file and http.tls-key-file, too; client certificates are shown by TLS")
	}
	a := &httpapi.AdminCertificates{Names: c.Admin.ClientNames}
	err := eachPEM("admin.client-ca-file", c.Admin.ClientCAFile, "CERTIFICATE", func(der []byte) error {
		root, err := x509.ParseCertificate(der)
		a.Roots = append(a.Roots, root)
		return err
	})
	if err != nil || c.Admin.ClientCRLFile == "" {
		return a, err
	}
	err = eachPEM("admin.client-crl-file", c.Admin.ClientCRLFile, "X509 CRL", func(der []byte) error {
		list, err := x509.ParseRevocationList(der)
		a.Revoked = append(a.Revoked, list)
		return err
	})
	return a, err
}

// eachPEM calls parse with each block of a file, which must have one and no other
// kind. Its errors repeat nothing of the content: it may be a key.
func eachPEM(key, path, kind string, parse func(der []byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	defer f.Close()
	rest, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if len(rest) > maxPEM {
		return fmt.Errorf("%s: %s has more than %d bytes", key, path, maxPEM)
	}
	for n := 1; ; n++ {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		switch {
		case block == nil && n > 1 && len(bytes.TrimSpace(rest)) == 0:
			return nil
		case block == nil:
			return fmt.Errorf("%s: %s holds something besides PEM blocks of type %s, or nothing", key, path, kind)
		case block.Type != kind:
			return fmt.Errorf("%s: block %d of %s is of another type than %s", key, n, path, kind)
		}
		if err := parse(block.Bytes); err != nil {
			return fmt.Errorf("%s: block %d of %s: %w", key, n, path, err)
		}
	}
}
