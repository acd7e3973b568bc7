package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

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

// reloadIssuers reads the settings again at each SIGHUP and gives v the issuers
// and keys that they name, until ctx ends. Other settings need a restart. What
// can't be used changes nothing.
func reloadIssuers(ctx context.Context, e env, v *token.Verifier, log *slog.Logger) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
		}
		if err := reissue(e, v); err != nil {
			log.Error("SIGHUP: the issuers can't be used; those read before stay in force", "error", err)
			continue
		}
		log.Info("SIGHUP: issuers and their keys read again")
	}
}

func reissue(e env, v *token.Verifier) error {
	cfg, err := loadConfig(e)
	if err != nil {
		return err
	}
	issuers, err := issuerConfigs(cfg)
	if err != nil {
		return err
	}
	return v.SetIssuers(issuers)
}
