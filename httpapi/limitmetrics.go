package httpapi

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"rescind/internal/admission"
)

// limitStats count what a limit does. They outlive it, so that a changed rate
// resets no counter.
type limitStats struct {
	refused atomic.Uint64
	near    atomic.Uint64 // that were let through, by callers near their rate
}

// RoomStats says how much of something clients have taken, and how much there is.
type RoomStats = admission.Stats

// limitsStats are those of all limits of an API.
type limitsStats struct{ admin, client, secret limitStats }

var (
	descUsed     = desc("revocations_used_ratio", "The share that the live revocations take of their limit, of number, of bytes or of the shared stream's, whichever is more; at 1 the node refuses new ones.")
	descMaxBytes = desc("revocations_bytes_limit", "The memory of the live revocations at which the node refuses new ones; absent where there is no such limit.")
	descLimited  = desc("rate_limited_total", "Requests that were refused because their caller made too many.", "limit")
	descRoomUsed = desc("admission_used", "How much of it clients have taken: connections, requests of HTTP/2, calls of gRPC.", "of")
	descRoomMost = desc("admission_limit", "How much of it there is, after RLIMIT_NOFILE and memory.limit.", "of")
	descRoomFull = desc("admission_refused_total", "How often a client was refused because there was no room, or its address had its share.", "of")
	descNear     = desc("rate_near_limit_total", "Requests of callers that made more than 80 % of what they may in ten seconds, and were not refused.", "limit")
)

// limitCollector makes metrics of what is limited and how near it is.
type limitCollector struct {
	node  Node
	stats *limitsStats
	rooms func() []RoomStats // nil: none
}

// Describe implements prometheus.Collector.
func (c limitCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descUsed, descMaxBytes, descLimited, descNear, descRoomUsed, descRoomMost, descRoomFull} {
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
	if st.Store.SharedLimit > 0 {
		used = max(used, float64(st.Store.SharedBytes)/float64(st.Store.SharedLimit))
	}
	gauge(ch, descUsed, used)
	for name, s := range map[string]*limitStats{"admin": &c.stats.admin, "client": &c.stats.client, "secret": &c.stats.secret} {
		counter(ch, descLimited, s.refused.Load(), name)
		counter(ch, descNear, s.near.Load(), name)
	}
	if c.rooms == nil {
		return
	}
	for _, r := range c.rooms() {
		gauge(ch, descRoomUsed, float64(r.Used), r.Name)
		gauge(ch, descRoomMost, float64(r.Most), r.Name)
		counter(ch, descRoomFull, r.Refused, r.Name)
	}
}
