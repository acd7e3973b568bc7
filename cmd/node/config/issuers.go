package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// algorithms are the signature algorithms that an issuer may be allowed.
var algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512"}

// Algorithms of an issuer that lists none. The key decides among them.
var (
	defaultPublic = []string{"RS256", "PS256", "ES256", "ES384", "EdDSA"}
	defaultSecret = []string{"HS256"}
)

// issuers stores tokens.issuers: the list in the settings file, or the path of
// a file with the list.
func issuers(c *Config, v value) error {
	list := v.list
	if list == nil {
		if v.text == "" {
			return nil
		}
		b, err := v.read(v.text)
		if err != nil {
			return fmt.Errorf("a file with a list of issuers (%w)", err)
		}
		if list, err = document(b); err != nil {
			return err
		}
		if list == nil {
			return nil
		}
		if list.Kind != yaml.SequenceNode {
			return errors.New("a file with a list, each entry with issuer, algorithms and a source of keys")
		}
	}
	for _, n := range list.Content {
		i, err := issuerOf(n)
		if err == nil && slices.ContainsFunc(c.Tokens.Issuers, func(j Issuer) bool { return i.Issuer == j.Issuer }) {
			err = fmt.Errorf("each issuer once, not %.80q again", i.Issuer)
		}
		if err != nil {
			return fmt.Errorf("%w (line %d)", err, n.Line)
		}
		c.Tokens.Issuers = append(c.Tokens.Issuers, i)
	}
	return nil
}

func issuerOf(n *yaml.Node) (Issuer, error) {
	var i Issuer
	if n.Kind != yaml.MappingNode {
		return i, errors.New("entries with issuer, audience, algorithms and jwks-url, jwks-file or hs256-secret-file")
	}
	single := map[string]*string{"issuer": &i.Issuer, "jwks-url": &i.JWKSURL, "jwks-file": &i.JWKSFile, "hs256-secret-file": &i.HS256SecretFile}
	lists := map[string]*[]string{"audience": &i.Audience, "algorithms": &i.Algorithms}
	seen := map[string]bool{}
	for k := 0; k+1 < len(n.Content); k += 2 {
		name, v := n.Content[k].Value, n.Content[k+1]
		s, isSingle := single[name]
		l, isList := lists[name]
		switch {
		case seen[name]:
			return i, fmt.Errorf("%s once", name)
		case isSingle && v.Kind == yaml.ScalarNode:
			*s = v.Value
		case isList && v.Kind == yaml.ScalarNode:
			*l = []string{v.Value}
		case isList && v.Kind == yaml.SequenceNode && plainList(v):
			*l = listOf(v)
		case isSingle || isList:
			return i, fmt.Errorf("a plain value for %s", name)
		default:
			return i, fmt.Errorf("issuer, audience, algorithms, jwks-url, jwks-file or hs256-secret-file, not %.40q", name)
		}
		seen[name] = true
	}
	return i, i.check()
}

// check completes i and says what would be right.
func (i *Issuer) check() error {
	sources := 0
	for _, s := range []string{i.JWKSURL, i.JWKSFile, i.HS256SecretFile} {
		if s != "" {
			sources++
		}
	}
	secret := i.HS256SecretFile != ""
	switch {
	case i.Issuer == "":
		return errors.New("an entry that names its issuer")
	case sources != 1:
		return errors.New("exactly one of jwks-url, jwks-file and hs256-secret-file")
	case i.JWKSURL != "" && !goodJWKSURL(i.JWKSURL):
		return errors.New("https for jwks-url, or http on loopback")
	case len(i.Algorithms) == 0 && secret:
		i.Algorithms = defaultSecret
	case len(i.Algorithms) == 0:
		i.Algorithms = defaultPublic
	}
	for _, a := range i.Algorithms {
		if !slices.Contains(algorithms, a) {
			return fmt.Errorf("algorithms among %s, not %.40q", strings.Join(algorithms, ", "), a)
		}
		if strings.HasPrefix(a, "HS") != secret {
			return errors.New("HS256, HS384 and HS512 with hs256-secret-file, and only with it")
		}
	}
	return nil
}

func goodJWKSURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && loopback(u.Host)
}

// loopback reports whether an address, with or without a port, is one.
func loopback(address string) bool {
	host := strings.TrimPrefix(address, "dns+")
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
