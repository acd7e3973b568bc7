package config

import "strings"

// NATS says which servers this node uses, and who it is there. At most one of
// CredsFile, NKeyFile, TokenFile and User is set.
type NATS struct {
	URL      string // URLs separated by commas; empty: none
	Embedded string // host:port; empty: no embedded server

	CredsFile    string
	NKeyFile     string
	TokenFile    string
	User         string // with PasswordFile
	PasswordFile string

	CAFile   string // empty: the system's authorities
	CertFile string // with KeyFile
	KeyFile  string
}

// natsRows are the settings of section nats.
func natsRows() []setting {
	file := func(key, doc string, field func(*NATS) *string) setting {
		return row(key, "", doc, text(func(c *Config) *string { return field(&c.NATS) }, anyText))
	}
	return []setting{
		row("nats.url", "", "NATS servers, nats://host:port (or tls, ws, wss), separated by commas; empty: no NATS", text(func(c *Config) *string { return &c.NATS.URL }, optional(natsURLs))),
		row("nats.embedded", "false", "run a NATS server in this process: false, host:port, or true for the address in nats.url, else 127.0.0.1:4222", embedded()),
		file("nats.creds-file", "file with the JWT and seed of this node's NATS user, as nsc writes it; it and the nats.*-file below are read again when they change", func(n *NATS) *string { return &n.CredsFile }),
		file("nats.nkey-file", "file with the seed (SU...) of this node's NATS user, in place of credentials", func(n *NATS) *string { return &n.NKeyFile }),
		file("nats.token-file", "file with the token that the NATS servers ask for, in place of credentials", func(n *NATS) *string { return &n.TokenFile }),
		file("nats.user", "this node's user at the NATS servers, in place of credentials; needs nats.password-file", func(n *NATS) *string { return &n.User }),
		file("nats.password-file", "file with that user's password", func(n *NATS) *string { return &n.PasswordFile }),
		file("nats.tls-ca-file", "file with the authorities of the NATS servers' certificates, in PEM; no connection without TLS is used; empty: the system's", func(n *NATS) *string { return &n.CAFile }),
		file("nats.tls-cert-file", "file with this node's certificate chain for NATS servers that ask for one, in PEM; needs nats.tls-key-file", func(n *NATS) *string { return &n.CertFile }),
		file("nats.tls-key-file", "file with its private key, in PEM", func(n *NATS) *string { return &n.KeyFile }),
	}
}

// oneLogin refuses two ways to log in at NATS. Halves of one are found with the files.
func (r *reading) oneLogin(c *Config) {
	n := c.NATS
	var given []string
	for _, w := range []struct{ key, value string }{
		{"nats.creds-file", n.CredsFile}, {"nats.nkey-file", n.NKeyFile}, {"nats.token-file", n.TokenFile}, {"nats.user", n.User},
	} {
		if w.value != "" {
			given = append(given, w.key)
		}
	}
	if len(given) > 1 {
		r.bad(given[0], r.values[given[0]], "set one of "+strings.Join(given, ", ")+"; a node logs in at NATS in one way")
	}
}
