package config

import (
	"iter"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// sources yields the fields that say where an issuer's keys are.
func (i *Issuer) sources() iter.Seq2[string, *string] {
	return func(yield func(string, *string) bool) {
		_ = yield("jwks-url", &i.JWKSURL) && yield("jwks-file", &i.JWKSFile) && yield("hs256-secret-file", &i.HS256SecretFile)
	}
}

// check completes the algorithms of i and reports what does not fit together.
func (l *issuerLoad) check(key string, i *Issuer, n *yaml.Node) {
	sources := 0
	for _, field := range i.sources() {
		if *field != "" {
			sources++
		}
	}
	if i.Issuer == "" {
		l.bad(key, "", n, "name its issuer, the iss of its tokens")
	}
	if slices.Contains(i.Audience, "") {
		l.bad(key+".audience", "", fieldOf(n, "audience"), "use audiences that are not empty")
	}
	if slices.Contains(i.LogoutAudience, "") {
		l.bad(key+".logout-audience", "", fieldOf(n, "logout-audience"), "use audiences that are not empty")
	}
	if slices.Contains(i.EventsAudience, "") {
		l.bad(key+".events-audience", "", fieldOf(n, "events-audience"), "use audiences that are not empty")
	}
	l.events(key, i, n)
	l.status(key, i, n)
	if sources != 1 {
		l.bad(key, i.Issuer, n, "use exactly one of jwks-url, jwks-file and hs256-secret-file")
		return // which algorithms fit depends on it
	}
	if i.JWKSURL != "" && !goodJWKSURL(i.JWKSURL) {
		l.bad(key+".jwks-url", i.JWKSURL, fieldOf(n, "jwks-url"), "use an https URL without user and password, or http on loopback; who can change the keys in transit can sign tokens")
	}
	l.algorithms(key+".algorithms", i, fieldOf(n, "algorithms"))
}

// events checks where events come from and whom they may name.
func (l *issuerLoad) events(key string, i *Issuer, n *yaml.Node) {
	switch {
	case len(i.EventsAudience) == 0 && len(i.EventsSubjects) > 0:
		l.bad(key+".events-subjects", "", fieldOf(n, "events-subjects"), "name events-audience too, the aud of the events; without it none is taken")
	case slices.Contains(i.EventsSubjects, ""):
		l.bad(key+".events-subjects", "", fieldOf(n, "events-subjects"), "use issuers that are not empty")
	case i.EventsPollURL == "" && i.EventsPollTokenFile != "":
		l.bad(key+".events-poll-token-file", i.EventsPollTokenFile, fieldOf(n, "events-poll-token-file"), "use it only with events-poll-url")
	case i.EventsPollURL == "":
	case !goodJWKSURL(i.EventsPollURL):
		l.bad(key+".events-poll-url", i.EventsPollURL, fieldOf(n, "events-poll-url"), "use an https URL without user and password, or http on loopback")
	case len(i.EventsAudience) == 0:
		l.bad(key+".events-poll-url", i.EventsPollURL, fieldOf(n, "events-poll-url"), "name events-audience too, the aud of the events; without it none is taken")
	}
}

// status checks what the entry says of status lists.
func (l *issuerLoad) status(key string, i *Issuer, n *yaml.Node) {
	for _, s := range i.StatusLists {
		if !goodJWKSURL(s) {
			l.bad(key+".status-lists", s, fieldOf(n, "status-lists"), "use https URLs without user and password, or http on loopback")
		}
	}
	if i.StatusJWKSURL != "" && !goodJWKSURL(i.StatusJWKSURL) {
		l.bad(key+".status-jwks-url", i.StatusJWKSURL, fieldOf(n, "status-jwks-url"), "use an https URL without user and password, or http on loopback")
	}
	if len(i.StatusLists) == 0 && (i.StatusJWKSURL != "" || i.AcceptUnknownStatus) {
		l.bad(key, i.Issuer, n, "use status-jwks-url and accept-unknown-status only with status-lists")
	}
	for _, name := range i.PublishStatus {
		if !listNames.MatchString(name) {
			l.bad(key+".publish-status", name, fieldOf(n, "publish-status"), "use names of 1 to 64 letters, digits, -, _ and dots, with no dot at the beginning")
		}
		if other, again := l.published[name]; again {
			l.bad(key+".publish-status", name, fieldOf(n, "publish-status"), "use each name once; an entry of a list belongs to one issuer, and "+other+" has it already")
		}
		if l.published == nil {
			l.published = map[string]string{}
		}
		l.published[name] = i.Issuer
	}
}

// listNames are as package httpapi takes them.
var listNames = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$`)

// algorithms refuses HS* with public keys: otherwise whoever knows a public
// key could sign with it as the secret.
func (l *issuerLoad) algorithms(key string, i *Issuer, n *yaml.Node) {
	secret := i.HS256SecretFile != ""
	if len(i.Algorithms) == 0 {
		i.Algorithms = []string{"RS256", "PS256", "ES256", "ES384", "EdDSA"}
		if secret {
			i.Algorithms = []string{"HS256"}
		}
	}
	public := []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
	symmetric := []string{"HS256", "HS384", "HS512"}
	for _, a := range i.Algorithms {
		switch isPublic, isSymmetric := slices.Contains(public, a), slices.Contains(symmetric, a); {
		case !isPublic && !isSymmetric:
			l.bad(key, a, n, "use "+strings.Join(slices.Concat(public, symmetric), ", "))
		case isSymmetric && !secret:
			l.bad(key, a, n, "use "+a+" only with hs256-secret-file")
		case isPublic && secret:
			l.bad(key, a, n, "use only "+strings.Join(symmetric, ", ")+" with hs256-secret-file")
		}
	}
}

func goodJWKSURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && loopback(u.Host)
}

// fieldOf returns the value of a field of n, or n itself where it has none.
func fieldOf(n *yaml.Node, name string) *yaml.Node {
	for k := 0; k+1 < len(n.Content); k += 2 {
		if n.Content[k].Value == name {
			return n.Content[k+1]
		}
	}
	return n
}
