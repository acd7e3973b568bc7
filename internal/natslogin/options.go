package natslogin

import (
	"cmp"
	"crypto/tls"
	"net"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// Identity is a Login as one connection uses it.
type Identity struct {
	login Login
	conn  atomic.Pointer[nats.Conn]
}

// New returns the Identity of a connection that is about to be made.
func (l Login) New() *Identity { return &Identity{login: l} }

// Options are those of nats.Connect, for connections that dialer makes. Where
// nothing is dialled, inProcess, there is no TLS either.
func (i *Identity) Options(dialer *net.Dialer, inProcess bool) []nats.Option {
	l := i.login
	options := []nats.Option{nats.SetCustomDialer(identityDialer{i, dialer})}
	switch {
	case l.CredsFile != "":
		options = append(options, nats.UserCredentials(l.CredsFile))
	case l.NKeyFile != "":
		options = append(options, i.nkeyOption())
	case l.TokenFile != "":
		options = append(options, nats.TokenHandler(func() string { return lastSecret(l.TokenFile) }))
	case l.User != "":
		options = append(options, nats.UserInfoHandler(func() (string, string) { return l.User, lastSecret(l.PasswordFile) }))
	}
	if inProcess {
		return options
	}
	return append(options, l.tlsOption)
}

// lastSecret returns "" where the file can't be read, which the server refuses.
func lastSecret(path string) string {
	text, _ := secret(path)
	return text
}

// tlsOption has the files read at each handshake.
func (l Login) tlsOption(o *nats.Options) error {
	if (l.CAFile != "" || l.CertFile != "") && o.TLSConfig == nil {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if l.CAFile != "" {
		o.Secure, o.RootCAsCB = true, l.authorities
	}
	if l.CertFile != "" {
		o.Secure, o.TLSCertCB = true, l.certificate
	}
	return nil
}

// nkeyOption is nats.NkeyOptionFromSeed for a file that may change.
func (i *Identity) nkeyOption() nats.Option {
	return func(o *nats.Options) error {
		fromSeed, err := nats.NkeyOptionFromSeed(i.login.NKeyFile)
		if err != nil {
			return err
		}
		return fromSeed(o)
	}
}

// Bind says which connection came of the options.
func (i *Identity) Bind(conn *nats.Conn) { i.conn.Store(conn) }

// renew has the connection use the public key of the seed that is in the file now.
// nats.go reads the seed at each connection, and the key that names it once. It
// calls the dialer with the lock of its options held, before it reads that key;
// TestNATSLogin fails where it no longer does.
func (i *Identity) renew() {
	conn := i.conn.Load()
	if conn == nil || i.login.NKeyFile == "" {
		return
	}
	var now nats.Options
	if err := i.nkeyOption()(&now); err == nil {
		conn.Opts.Nkey = cmp.Or(now.Nkey, conn.Opts.Nkey)
	}
}

type identityDialer struct {
	identity *Identity
	dialer   *net.Dialer
}

// Dial is part of nats.CustomDialer.
func (d identityDialer) Dial(network, address string) (net.Conn, error) {
	d.identity.renew()
	return d.dialer.Dial(network, address)
}
