// Package natslogin says who a node is to NATS servers and which servers it
// believes, all by files, so that no secret stands among settings.
//
// The files are read at every connection. Follow tells when they have changed, so
// that a connection can be made anew before the old secret lapses. What a server
// answers to them is put into words that name the setting to change, and hold no
// secret.
package natslogin

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/nats-io/nats.go"
)

// Login names the files. At most one of CredsFile, NKeyFile, TokenFile and User is
// set; a client certificate goes with each of them, or alone. The zero Login is of
// servers that ask nobody who he is.
type Login struct {
	CredsFile    string // a user's JWT and seed, as nsc writes them
	NKeyFile     string // a user's seed, as nk writes it
	TokenFile    string // a token
	User         string // with PasswordFile
	PasswordFile string

	CAFile   string // the authorities of the servers' certificates, PEM; empty: the system's
	CertFile string // this client's certificate and its chain, PEM; with KeyFile
	KeyFile  string
}

// Check reads the files once and returns what can't be right, under the names of
// the settings: else a missing file would look like a server that is down. urls are
// the servers'.
func (l Login) Check(urls string) error {
	var ways []string
	for _, w := range l.ways() {
		if w.value != "" {
			ways = append(ways, w.setting)
		}
	}
	switch {
	case len(ways) > 1:
		return fmt.Errorf("%s are both set; a node logs in at NATS in one way", strings.Join(ways, " and "))
	case len(ways) == 1 && strings.Contains(urls, "@"):
		return fmt.Errorf("%s is set and nats.url holds a user; a node logs in at NATS in one way", ways[0])
	case (l.User == "") != (l.PasswordFile == ""):
		return errors.New("nats.user and nats.password-file go together")
	case (l.CertFile == "") != (l.KeyFile == ""):
		return errors.New("nats.tls-cert-file and nats.tls-key-file go together")
	}
	return l.read()
}

type way struct{ setting, value string }

// ways are those in which a node may log in, of which it uses one.
func (l Login) ways() []way {
	return []way{{"nats.creds-file", l.CredsFile}, {"nats.nkey-file", l.NKeyFile}, {"nats.token-file", l.TokenFile}, {"nats.user", l.User}}
}

// files are all that are in use, with the names of their settings.
func (l Login) files() (used []way) {
	for _, f := range []way{
		{"nats.creds-file", l.CredsFile}, {"nats.nkey-file", l.NKeyFile}, {"nats.token-file", l.TokenFile}, {"nats.password-file", l.PasswordFile},
		{"nats.tls-ca-file", l.CAFile}, {"nats.tls-cert-file", l.CertFile}, {"nats.tls-key-file", l.KeyFile},
	} {
		if f.value != "" {
			used = append(used, f)
		}
	}
	return used
}

// read uses each file as a connection would.
func (l Login) read() error {
	for _, f := range l.files() {
		if _, err := readFile(f.value); err != nil {
			return fmt.Errorf("%s: %w", f.setting, err)
		}
	}
	if l.CredsFile != "" {
		if err := checkCreds(l.CredsFile); err != nil {
			return fmt.Errorf("nats.creds-file: the file must hold a user's JWT and seed, as `nsc generate creds` writes them: %w", err)
		}
	}
	if l.NKeyFile != "" {
		if _, err := nats.NkeyOptionFromSeed(l.NKeyFile); err != nil {
			return fmt.Errorf("nats.nkey-file: the file must hold the seed of a user (SU...), as `nk -gen user` writes it: %w", err)
		}
	}
	for _, f := range []way{{"nats.token-file", l.TokenFile}, {"nats.password-file", l.PasswordFile}} {
		if f.value == "" {
			continue
		}
		if _, err := secret(f.value); err != nil {
			return fmt.Errorf("%s: %w", f.setting, err)
		}
	}
	if l.CAFile != "" {
		if _, err := l.authorities(); err != nil {
			return err
		}
	}
	if l.CertFile != "" {
		if _, err := l.certificate(); err != nil {
			return err
		}
	}
	return nil
}

// checkCreds signs something with what the file holds.
func checkCreds(file string) error {
	var o nats.Options
	if err := nats.UserCredentials(file)(&o); err != nil {
		return err
	}
	if _, err := o.UserJWT(); err != nil {
		return err
	}
	_, err := o.SignatureCB([]byte("nonce"))
	return err
}

// maxFile bounds each file, in bytes.
const maxFile = 1 << 20

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = errors.New("the file is larger than 1 MiB")
	}
	return b, err
}

// secret returns the one line that a file holds.
func secret(path string) (string, error) {
	b, err := readFile(path)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(b))
	if text == "" || strings.ContainsAny(text, "\r\n") {
		return "", errors.New("the file must hold one line, the secret")
	}
	return text, nil
}

func (l Login) authorities() (*x509.CertPool, error) {
	b, err := readFile(l.CAFile)
	if err != nil {
		return nil, fmt.Errorf("nats.tls-ca-file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, errors.New("nats.tls-ca-file: the file holds no certificate in PEM")
	}
	return pool, nil
}

func (l Login) certificate() (tls.Certificate, error) {
	cert, err1 := readFile(l.CertFile)
	key, err2 := readFile(l.KeyFile)
	if err := errors.Join(err1, err2); err != nil {
		return tls.Certificate{}, fmt.Errorf("nats.tls-cert-file: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("nats.tls-cert-file and nats.tls-key-file: %w", err)
	}
	return pair, nil
}
