package token

import (
	"cmp"
	"slices"
	"time"

	"rescind"
)

// StatusSource describes the status lists of one issuer, for metrics.
type StatusSource struct {
	Issuer string

	Lists   int // that tokens have referred to of late, or that are configured
	Missing int // of these have not been fetched yet, or are no longer relied upon
	Bytes   int // that the others occupy

	// Age is how long ago the fetch of the oldest list at hand began; 0: there
	// is none.
	Age time.Duration

	Failures uint64 // fetches that failed or brought no good list, in all
}

// StatusSources describes the lists of the issuers that have StatusLists, by
// issuer. Safe for concurrent use.
func (v *Verifier) StatusSources() []StatusSource {
	var all []StatusSource
	for name, t := range v.trust.Load().issuers {
		if t.lists != nil {
			all = append(all, t.lists.describe(name, v.config.Now()))
		}
	}
	slices.SortFunc(all, func(a, b StatusSource) int { return cmp.Compare(a.Issuer, b.Issuer) })
	return all
}

func (s *statusLists) describe(issuer string, now time.Time) StatusSource {
	d := StatusSource{Issuer: issuer, Failures: s.failed.Load()}
	s.lists.Range(func(_, found any) bool {
		l := found.(*statusList)
		held := l.held.Load()
		d.Lists++
		if held.reliable(rescind.MillisOf(now.Add(-s.leeway))) {
			d.Bytes += held.list.Size()
			d.Age = max(d.Age, now.Sub(time.UnixMilli(l.asOf.Load())))
		} else {
			d.Missing++
		}
		return true
	})
	return d
}
