package httpapi

import (
	"github.com/prometheus/client_golang/prometheus"

	"rescind/httpapi/ssf"
)

// transmitCollector makes metrics of the receivers of security events at the
// moment of a scrape.
type transmitCollector struct {
	transmitter *ssf.Transmitter // nil: there are none
}

var (
	descTold       = desc("events_told_total", "Security events for a receiver, by what became of them: delivered, dropped because too much waited or the disk failed, expired, or refused with that code of RFC 8935.", "receiver", "result")
	descPushFailed = desc("event_push_failures_total", "Attempts to push a security event that are repeated.", "receiver")
	descWaiting    = desc("events_waiting", "Security events that wait for a receiver.", "receiver")
	descWaitBytes  = desc("events_waiting_bytes", "Bytes of the security events that wait for a receiver.", "receiver")
)

// Describe implements prometheus.Collector.
func (c *transmitCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descTold, descPushFailed, descWaiting, descWaitBytes} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *transmitCollector) Collect(ch chan<- prometheus.Metric) {
	if c.transmitter == nil {
		return
	}
	for _, s := range c.transmitter.Stats() {
		counter(ch, descTold, s.Delivered, s.Name, "delivered")
		counter(ch, descTold, s.Dropped, s.Name, "dropped")
		counter(ch, descTold, s.Expired, s.Name, "expired")
		counter(ch, descTold, s.Refused["other"], s.Name, "other")
		for _, code := range ssf.Codes {
			counter(ch, descTold, s.Refused[code], s.Name, code)
		}
		counter(ch, descPushFailed, s.Failed, s.Name)
		gauge(ch, descWaiting, float64(s.Queued), s.Name)
		gauge(ch, descWaitBytes, float64(s.Bytes), s.Name)
	}
}
