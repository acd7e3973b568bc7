package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"

	"rescind/cluster"
	"rescind/cmd/node/config"
)

// units are the parts of a serving node that take over changed settings, in the
// order in which they do: the verifier knows an issuer before the API asks it, and
// both before its events are polled for.
func (f *face) units(level *slog.LevelVar) []unit {
	none := func(*config.Config) []string { return nil }
	return []unit{
		{"issuers", issuerFiles, f.prepareIssuers},
		{"admins and clients", func(c *config.Config) []string {
			return []string{c.Admin.TokenFile, c.Admin.TokensFile, c.Admin.ClientCAFile, c.Admin.ClientCRLFile, c.OAuth.ClientsFile, c.OAuth.KeyFile}
		}, f.prepareAPI},
		{"event polls", none, func(c *config.Config) (func(), error) { return f.events.prepare(c, f.api, f.log) }},
		{"name and keys of events", func(c *config.Config) []string { return []string{c.OAuth.KeyFile} }, func(c *config.Config) (func(), error) { return f.told.prepare(c) }},
		{"transport keys", func(c *config.Config) []string { return []string{c.Cluster.TransportKeysFile} }, f.prepareTransport},
		{"certificate", func(c *config.Config) []string { return []string{c.HTTP.CertFile, c.HTTP.KeyFile} }, f.prepareCertificate},
		{"policy", none, f.preparePolicy},
		{"log level", none, func(c *config.Config) (func(), error) { return func() { level.Set(c.Log.Level) }, nil }},
	}
}

// issuerFiles are the files with keys; of one from a URL there is none.
func issuerFiles(c *config.Config) (files []string) {
	for _, i := range c.Tokens.Issuers {
		files = append(files, i.JWKSFile, i.HS256SecretFile, i.DecryptionKeysFile)
	}
	return files
}

func (f *face) prepareIssuers(c *config.Config) (func(), error) {
	issuers, err := issuerConfigs(c)
	if err != nil {
		return nil, err
	}
	return f.verifier.PrepareIssuers(issuers)
}

func (f *face) prepareAPI(c *config.Config) (func(), error) {
	api, err := apiConfig(c)
	if err != nil {
		return nil, err
	}
	commit, err := f.api.Prepare(api)
	if err != nil {
		return nil, err
	}
	return func() {
		commit()
		f.rooms.trust(c.HTTP.TrustedProxies)
		f.hosts.follow(c)
		f.expiries.follow(c)
	}, nil
}

// prepareTransport reads the transport keys. An empty file would bring back the
// cluster's key, which nobody means, and so is an error.
func (f *face) prepareTransport(c *config.Config) (func(), error) {
	keys, err := c.TransportKeys()
	if err == nil {
		err = cluster.CheckTransportKeys(keys)
	}
	if err != nil || c.Cluster.KeyFile == "" {
		return func() {}, err
	}
	return func() {
		if err := f.node.SetTransportKeys(keys); err != nil {
			f.log.Error("transport keys that are good can't be set", "error", err)
		}
	}, nil
}

// prepareCertificate reads another certificate. TLS that begins or ends takes a
// restart.
func (f *face) prepareCertificate(c *config.Config) (func(), error) {
	if f.cert == nil || c.HTTP.CertFile == "" || c.HTTP.KeyFile == "" {
		return func() {}, nil
	}
	pair, err := readCertificate(c.HTTP.CertFile, c.HTTP.KeyFile)
	if err != nil {
		return nil, err
	}
	return func() { f.cert.now.Store(pair); f.expiries.follow(c) }, nil
}

func (f *face) preparePolicy(c *config.Config) (func(), error) {
	m, err := memoryOf(c)
	if err != nil {
		return nil, err
	}
	p := policyOf(c, m)
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return func() {
		m.keepTo()
		if err := f.node.SetPolicy(p); err != nil {
			f.log.Error("a policy that is good can't be set", "error", err)
		}
	}, nil
}

// policyOf is what c says that a node can change while it runs.
func policyOf(c *config.Config, m memory) cluster.Policy {
	return cluster.Policy{
		MaxRevocations: m.records, MaxBytes: m.setBytes, Ack: c.Revocations.Ack,
		IssuerShare:    issuerShare(c),
		ForgetAfter:    c.Cluster.ForgetAfter,
		RefuseIsolated: c.Revocations.Isolated == "refuse",
		RejectStale:    c.Checks.OnStale == "reject", MaxStaleness: c.Checks.MaxStaleness,
		VersionWait: c.Checks.VersionWait,
	}
}

// issuerShare is of whom there are several.
func issuerShare(c *config.Config) int {
	if len(c.Tokens.Issuers) < 2 {
		return 0
	}
	return c.Revocations.IssuerShare
}

// anonymousRate holds unless http.client-rate says otherwise.
func anonymousRate(c *config.Config) float64 {
	if c.HTTP.ClientRate > 0 {
		return 0
	}
	return 50
}

func readCertificate(certFile, keyFile string) (*tls.Certificate, error) {
	if certFile == "" || keyFile == "" {
		return nil, fmt.Errorf("http.tls-cert-file and http.tls-key-file go together; set both or none")
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("http.tls-cert-file, http.tls-key-file: %w", err)
	}
	return &pair, nil
}
