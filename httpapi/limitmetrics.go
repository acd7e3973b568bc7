package httpapi

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// limitStats count what a limit does. They outlive it, so that a changed rate
// resets no counter.
type limitStats struct {
	refused atomic.Uint64
	near    atomic.Uint64 // that were let through, by callers near their rate
}

// limitsStats are those of all limits of an API.
type limitsStats struct{ admin, client, secret limitStats }

var (
	descUsed     = desc("revocations_used_ratio", "The share that the live revocations take of their limit, of number or of bytes, whichever is more; at 1 the node refuses new ones.")
	descMaxBytes = desc("revocations_bytes_limit", "The memory of the live revocations at which the node refuses new ones; absent where there is no such limit.")
	descLimited  = desc("rate_limited_total", "Requests that were refused because their caller made too many.", "limit")
	descNear     = desc("rate_near_limit_total", "Requests of callers that made more than 80 % of what they may in ten seconds, and were not refused.", "limit")
)

// limitCollector makes metrics of what is limited and how near it is.
type limitCollector struct {
	node  Node
	stats *limitsStats
}

// Describe implements prometheus.Collector.
func (c limitCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descUsed, descMaxBytes, descLimited, descNear} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c limitCollector) Collect(ch chan<- prometheus.Metric) {
	st := c.node.Status()
	used := float64(st.Total) / float64(max(st.Max, 1))
	if st.MaxBytes > 0 {
		used = max(used, float64(st.Filter.Bytes)/float64(st.MaxBytes))
		gauge(ch, descMaxBytes, float64(st.MaxBytes))
	}
	gauge(ch, descUsed, used)
	for name, s := range map[string]*limitStats{"admin": &c.stats.admin, "client": &c.stats.client, "secret": &c.stats.secret} {
		counter(ch, descLimited, s.refused.Load(), name)
		counter(ch, descNear, s.near.Load(), name)
	}
}
