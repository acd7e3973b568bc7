package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"rescind/cmd/node/config"
	"rescind/httpapi"
)

// expiries are until when the files with certificates are good that a node goes by.
type expiries struct {
	now atomic.Pointer[[]httpapi.Certificate]
	log *slog.Logger
}

// follow reads the files of c again, and says what is out of date.
func (e *expiries) follow(c *config.Config) {
	list, err := expiriesOf(c)
	if err != nil {
		return // said by who uses the file
	}
	e.now.Store(&list)
	for _, one := range list {
		switch now := time.Now(); {
		case one.Expired(now):
			e.log.Error("a file with certificates is out of date", "setting", one.Setting, "expired", one.Expires)
		case one.Soon(now):
			e.log.Warn("a file with certificates will soon be out of date", "setting", one.Setting, "expires", one.Expires)
		}
	}
}

func (e *expiries) list() []httpapi.Certificate {
	if all := e.now.Load(); all != nil {
		return *all
	}
	return nil
}

// expiriesOf returns for each file what of it expires first.
func expiriesOf(c *config.Config) ([]httpapi.Certificate, error) {
	var all []httpapi.Certificate
	add := func(setting string, from, to time.Time) {
		for i, one := range all {
			if one.Setting == setting {
				if to.Before(one.Expires) {
					all[i].Issued, all[i].Expires = from, to
				}
				return
			}
		}
		all = append(all, httpapi.Certificate{Setting: setting, Issued: from, Expires: to})
	}
	if c.HTTP.CertFile != "" {
		pair, err := readCertificate(c.HTTP.CertFile, c.HTTP.KeyFile)
		if err != nil {
			return nil, err
		}
		for _, der := range pair.Certificate {
			one, err := x509.ParseCertificate(der)
			if err != nil {
				return nil, fmt.Errorf("http.tls-cert-file: %w", err)
			}
			add("http.tls-cert-file", one.NotBefore, one.NotAfter)
		}
	}
	admins, err := adminCertificates(c)
	if err != nil || admins == nil {
		return all, err
	}
	for _, one := range admins.Roots {
		add("admin.client-ca-file", one.NotBefore, one.NotAfter)
	}
	for _, one := range admins.Revoked {
		if !one.NextUpdate.IsZero() {
			add("admin.client-crl-file", one.ThisUpdate, one.NextUpdate)
		}
	}
	return all, nil
}

// checkExpiries is an error for each file that is out of date, and says by warn which
// will soon be.
func checkExpiries(c *config.Config, now time.Time, warn func(text string)) error {
	list, err := expiriesOf(c)
	for _, one := range list {
		text := fmt.Sprintf("%s: out of date from %s", one.Setting, one.Expires.UTC().Format(time.RFC3339))
		switch {
		case one.Expired(now):
			err = errors.Join(err, errors.New(text))
		case one.Soon(now):
			warn(text)
		}
	}
	return err
}
