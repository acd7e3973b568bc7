package httpapi

import (
	"github.com/prometheus/client_golang/prometheus"

	"rescind/httpapi/diagnosis"
)

// Certificate says until when what a setting names is good: a certificate, an authority
// or a list of revoked ones.
type Certificate = diagnosis.Certificate

var descCertificate = desc("certificate_expiry_timestamp_seconds", "When the first certificate of the file that the setting names expires, or its list of revoked ones is out of date, since the epoch.", "file")

// certificateCollector makes metrics of them. It calls nothing where it is nil.
type certificateCollector struct{ list func() []Certificate }

// Describe implements prometheus.Collector.
func (c certificateCollector) Describe(ch chan<- *prometheus.Desc) { ch <- descCertificate }

// Collect implements prometheus.Collector.
func (c certificateCollector) Collect(ch chan<- prometheus.Metric) {
	if c.list == nil {
		return
	}
	for _, one := range c.list() {
		gauge(ch, descCertificate, float64(one.Expires.Unix()), one.Setting)
	}
}
