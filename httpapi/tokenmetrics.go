package httpapi

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"

	"rescind/token"
)

// tokenCollector makes metrics of issuers' keys and of a local issuer at the
// moment of a scrape.
type tokenCollector struct {
	verifier *token.Verifier
	issued   func() token.Stats // nil: there is no issuer here
}

var (
	descKeyAge      = desc("jwks_age_seconds", "Age of the issuer's last good key set; +Inf until there is one.", "issuer")
	descKeys        = desc("jwks_keys", "Keys of the issuer at hand.", "issuer")
	descKeyFailures = desc("jwks_failures_total", "Fetches of the issuer's keys that brought no good set.", "issuer")

	descListAge      = desc("status_list_age_seconds", "Age of the issuer's oldest status list at hand.", "issuer")
	descLists        = desc("status_lists", "Status lists of the issuer that tokens refer to.", "issuer")
	descListsMissing = desc("status_lists_missing", "Those of them that are not at hand.", "issuer")
	descListFailures = desc("status_list_failures_total", "Fetches of the issuer's status lists that brought no good list.", "issuer")

	descCacheHits   = desc("token_cache_hits_total", "Tokens whose signature had been verified before and was not again.")
	descCacheMisses = desc("token_cache_misses_total", "Tokens that were not in the cache of verified ones, or that are none.")
	descCacheTokens = desc("token_cache_tokens", "Tokens in the cache of verified ones.")
	descCacheBytes  = desc("token_cache_bytes", "Memory of the cache of verified tokens, about.")

	descRefreshed = desc("refreshes_total", "Refresh tokens used here.")
	descRetried   = desc("refresh_retries_total", "Refresh tokens presented again within the grace, which got the same tokens.")
	descReused    = desc("refresh_reuses_total", "Refresh tokens used again, by a thief or after one; each ended its session.")
)

// Describe implements prometheus.Collector.
func (c *tokenCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descKeyAge, descKeys, descKeyFailures, descListAge, descLists, descListsMissing, descListFailures, descCacheHits, descCacheMisses, descCacheTokens, descCacheBytes, descRefreshed, descRetried, descReused} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *tokenCollector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.verifier.KeySources() {
		age := math.Inf(1)
		if s.Keys > 0 {
			age = s.Age.Seconds()
		}
		issuer := labelValue(s.Issuer)
		gauge(ch, descKeyAge, age, issuer)
		gauge(ch, descKeys, float64(s.Keys), issuer)
		ch <- prometheus.MustNewConstMetric(descKeyFailures, prometheus.CounterValue, float64(s.Failures), issuer)
	}
	for _, s := range c.verifier.StatusSources() {
		issuer := labelValue(s.Issuer)
		gauge(ch, descListAge, s.Age.Seconds(), issuer)
		gauge(ch, descLists, float64(s.Lists), issuer)
		gauge(ch, descListsMissing, float64(s.Missing), issuer)
		ch <- prometheus.MustNewConstMetric(descListFailures, prometheus.CounterValue, float64(s.Failures), issuer)
	}
	cache := c.verifier.CacheStats()
	counter(ch, descCacheHits, cache.Hits)
	counter(ch, descCacheMisses, cache.Misses)
	gauge(ch, descCacheTokens, float64(cache.Tokens))
	gauge(ch, descCacheBytes, float64(cache.Bytes))
	if c.issued == nil {
		return
	}
	stats := c.issued()
	counter(ch, descRefreshed, stats.Refreshed)
	counter(ch, descRetried, stats.Retried)
	counter(ch, descReused, stats.Reused)
}
