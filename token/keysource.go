package token

import (
	"cmp"
	"slices"
	"time"

	"rescind/token/internal/fetch"
)

// KeySource describes the keys of one issuer that come from a URL, for metrics.
type KeySource struct {
	Issuer string
	URL    string // without what may be secret in it

	// Keys is how many keys are at hand; 0: none have been had yet.
	Keys int

	// Age is how long ago the fetch of the last good set began, which a source
	// that is down does not take away. It means nothing while Keys is 0.
	Age time.Duration

	Failures uint64 // fetches that failed or brought no good set, in all
}

// KeySources describes where keys are fetched from, by issuer. Safe for
// concurrent use.
func (v *Verifier) KeySources() []KeySource {
	var all []KeySource
	for name, t := range v.trust.Load().issuers {
		if t.remote == nil {
			continue
		}
		s := KeySource{Issuer: name, URL: fetch.Redact(t.remote.URL()), Failures: t.remote.Failed()}
		if set := t.remote.Set(); set != nil {
			s.Keys = set.Len()
			s.Age = v.config.Now().Sub(t.remote.AsOf())
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b KeySource) int { return cmp.Compare(a.Issuer, b.Issuer) })
	return all
}
