package main

import (
	"fmt"

	"rescind/cmd/node/config"
	"rescind/httpapi"
	"rescind/token"
)

// issuerConfigs returns whom cfg trusts, with the keys that it names read.
func issuerConfigs(cfg *config.Config) ([]token.IssuerConfig, error) {
	issuers := make([]token.IssuerConfig, len(cfg.Tokens.Issuers))
	for i, c := range cfg.Tokens.Issuers {
		issuers[i] = token.IssuerConfig{
			Issuer: c.Issuer, Audience: c.Audience, Algorithms: c.Algorithms,
			JWKSURL: c.JWKSURL, JWKSFile: c.JWKSFile, HS256SecretFile: c.HS256SecretFile,
			StatusLists: c.StatusLists, StatusKeysURL: c.StatusJWKSURL, AcceptUnknownStatus: c.AcceptUnknownStatus,
			Types: c.Types, AuthTime: c.AuthTime, AllowNoExp: c.AllowNoExp, EventsOnly: c.EventsOnly,
		}
		for _, name := range c.PublishStatus {
			issuers[i].PublishedLists = append(issuers[i].PublishedLists, httpapi.StatusListURI(cfg.OAuth.Issuer, name))
		}
		if c.DecryptionKeysFile == "" {
			continue
		}
		keys, err := token.LoadDecryptionKeys(c.DecryptionKeysFile)
		if err != nil {
			return nil, fmt.Errorf("tokens.issuers[%d].decryption-keys-file: %w", i, err)
		}
		issuers[i].DecryptionKeys = keys
	}
	return issuers, nil
}
