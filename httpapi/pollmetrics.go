package httpapi

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"rescind/httpapi/ssf"
)

// pollCollector makes metrics of the streams of security events that are polled,
// at the moment of a scrape.
type pollCollector struct {
	polls func() []ssf.PollStats // nil: there are none
}

var (
	descPolls        = desc("event_polls_total", "Polls for security events that the transmitter answered.", "transmitter")
	descPollFailures = desc("event_poll_failures_total", "Polls that were not answered, or whose events could not all be taken.", "transmitter")
	descPollAge      = desc("event_poll_age_seconds", "Time since the transmitter last answered a poll; +Inf until it has.", "transmitter")
	descPolled       = desc("events_polled_total", "Security events fetched, by what became of them: taken, kept with the transmitter because this node could not take them, or refused with that code of RFC 8935.", "transmitter", "result")
)

// Describe implements prometheus.Collector.
func (c *pollCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descPolls, descPollFailures, descPollAge, descPolled} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *pollCollector) Collect(ch chan<- prometheus.Metric) {
	if c.polls == nil {
		return
	}
	for _, s := range c.polls() {
		name, age := labelValue(s.Issuer), math.Inf(1)
		if !s.Last.IsZero() {
			age = time.Since(s.Last).Seconds()
		}
		counter(ch, descPolls, s.Polls, name)
		counter(ch, descPollFailures, s.Failed, name)
		gauge(ch, descPollAge, age, name)
		counter(ch, descPolled, s.Taken, name, "taken")
		counter(ch, descPolled, s.Kept, name, "kept")
		for _, code := range ssf.Codes {
			counter(ch, descPolled, s.Refused[code], name, code)
		}
	}
}
