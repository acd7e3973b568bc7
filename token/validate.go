package token

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"rescind"
)

// withDefaults returns c with its zero values resolved, or what is wrong.
func (c VerifierConfig) withDefaults() (VerifierConfig, error) {
	setDefault(&c.Leeway, DefaultLeeway)
	c.Leeway = max(c.Leeway, 0)
	setDefault(&c.MaxLifetime, min(DefaultMaxLifetime, remembered(c.Checker)))
	setDefault(&c.MaxTokenBytes, DefaultMaxTokenBytes)
	setDefault(&c.MaxDepth, DefaultMaxDepth)
	setDefault(&c.CacheTokens, DefaultCacheTokens)
	setDefault(&c.CacheBytes, DefaultCacheBytes)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	switch {
	case c.Checker == nil && !c.DangerouslyIgnoreRevocations:
		return c, errors.New("no Checker; pass a *cluster.Node")
	case c.Checker != nil && c.DangerouslyIgnoreRevocations:
		return c, errors.New("there is a Checker, but DangerouslyIgnoreRevocations is set")
	case c.Leeway > rescind.MaxLeeway:
		return c, fmt.Errorf("a Leeway of %v; at most %v is allowed", c.Leeway, rescind.MaxLeeway)
	case c.MaxLifetime < 0 || c.MaxLifetime > rescind.MaxLifetimeLimit:
		return c, fmt.Errorf("a MaxLifetime of %v; use at most %v", c.MaxLifetime, rescind.MaxLifetimeLimit)
	case c.MaxLifetime > remembered(c.Checker):
		return c, fmt.Errorf("a MaxLifetime of %v; the Checker remembers revocations for %v only: raise its MaxLifetime on every node first", c.MaxLifetime, remembered(c.Checker))
	case c.MaxTokenBytes < 0 || c.MaxDepth < 0:
		return c, errors.New("negative MaxTokenBytes or MaxDepth; they must not be negative")
	}
	return c, nil
}

// owned returns a copy of list that shares no memory with it: a caller's strings
// may lie in a buffer that is used again, as those of a web framework's request do.
func owned(list []string) []string {
	if list == nil {
		return nil
	}
	copied := make([]string, len(list))
	for i, s := range list {
		copied[i] = strings.Clone(s)
	}
	return copied
}

// owned returns c with copies of the strings that are kept of it. That of the
// issuer itself is trusted.name.
func (c IssuerConfig) owned() IssuerConfig {
	c.Audience, c.Algorithms, c.Types = owned(c.Audience), owned(c.Algorithms), owned(c.Types)
	c.StatusLists, c.PublishedLists = owned(c.StatusLists), owned(c.PublishedLists)
	c.JWKSURL, c.JWKSFile, c.HS256SecretFile = strings.Clone(c.JWKSURL), strings.Clone(c.JWKSFile), strings.Clone(c.HS256SecretFile)
	c.StatusKeysURL = strings.Clone(c.StatusKeysURL)
	return c
}

// owned is IssuerConfig.owned for what an Issuer keeps.
func (c SignerConfig) owned() SignerConfig {
	c.Issuer, c.Audience, c.PublishedLists = strings.Clone(c.Issuer), owned(c.Audience), owned(c.PublishedLists)
	return c
}

// validate reports what is wrong with c apart from its keys.
func (c IssuerConfig) validate() error {
	if err := (rescind.Key{Scope: rescind.ScopeIss, Issuer: c.Issuer}).Validate(); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	for _, t := range c.Types {
		if t = normalType(t); t == TypeRefresh || t == TypeOneTime || t == TypeLogout || t == TypeEvent || t == typeID {
			return fmt.Errorf("types: %s is no access token", t)
		}
	}
	return c.validateSource()
}

func (c IssuerConfig) validateSource() error {
	secret := len(c.HS256Secret) > 0 || c.HS256SecretFile != ""
	sources := 0
	for _, set := range []bool{c.JWKSURL != "", c.JWKSFile != "", len(c.JWKS) > 0, c.Keys != nil, len(c.HS256Secret) > 0, c.HS256SecretFile != ""} {
		if set {
			sources++
		}
	}
	if c.Keys != nil && c.Keys.public.Load() == nil {
		return errors.New("no Keys; use GenerateKeySet or LoadKeySet")
	}
	if sources != 1 {
		return errors.New("exactly one source of keys is needed: jwks-url, jwks-file, hs256-secret-file or, in code, JWKS, Keys or HS256Secret")
	}
	for _, a := range c.Algorithms {
		if strings.HasPrefix(a, "HS") != secret {
			return errors.New("algorithms: HS256, HS384 and HS512 go with a secret, and only with one")
		}
	}
	return nil
}

// accessTypes returns the accepted types of access tokens in normal form.
func (c IssuerConfig) accessTypes() []string {
	if len(c.Types) == 0 {
		return []string{"", TypeJWT, TypeAccess}
	}
	types := slices.Clone(c.Types)
	for i, t := range types {
		types[i] = normalType(t)
	}
	return types
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
