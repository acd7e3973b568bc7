package httpapi

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// SettingsStatus says what became of settings that may change while a node runs.
type SettingsStatus struct {
	// Digest is the same on nodes whose settings agree, apart from what differs by
	// nature, such as addresses.
	Digest [sha256.Size]byte

	// LoadedAt is when the settings in force were read. ReadAt is when they were
	// last read without fault, changed or not.
	LoadedAt, ReadAt time.Time

	// Failing names what could not be read again, and is as it was before. Failures
	// counts how often that was found.
	Failing  []string
	Failures uint64

	// NeedRestart are the settings that differ from what runs.
	NeedRestart []string
}

// settingsJSON is a SettingsStatus as operators read it.
type settingsJSON struct {
	Digest      string    `json:"digest"`
	LoadedAt    time.Time `json:"loaded_at"`
	Failing     []string  `json:"failing"`
	NeedRestart []string  `json:"need_restart"`
}

func newSettings(status func() SettingsStatus) *settingsJSON {
	if status == nil {
		return nil
	}
	s := status()
	return &settingsJSON{
		Digest: hex.EncodeToString(s.Digest[:8]), LoadedAt: s.LoadedAt.UTC().Truncate(time.Second),
		Failing: append([]string{}, s.Failing...), NeedRestart: append([]string{}, s.NeedRestart...),
	}
}

var (
	descConfigHash     = desc("config_hash", "A digest of the settings that should be the same on all nodes; an inconsistent cluster has several.")
	descConfigGood     = desc("config_last_reload_successful", "1 unless the settings, or a file that they name, could not be read again; what was read before is then in force.")
	descConfigLoaded   = desc("config_last_reload_success_timestamp_seconds", "When the settings were last read without fault, since the epoch.")
	descConfigFailures = desc("config_reload_failures_total", "Changed settings or files that could not be used.")
	descNeedRestart    = desc("config_restart_required", "Settings that differ from what runs, because it takes a restart to change them.")
)

// settingsCollector makes metrics of a SettingsStatus.
type settingsCollector struct{ status func() SettingsStatus }

// Describe implements prometheus.Collector.
func (c settingsCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descConfigHash, descConfigGood, descConfigLoaded, descConfigFailures, descNeedRestart} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c settingsCollector) Collect(ch chan<- prometheus.Metric) {
	if c.status == nil {
		return
	}
	s := c.status()
	gauge(ch, descConfigHash, hashGauge(s.Digest))
	gauge(ch, descConfigGood, boolGauge(len(s.Failing) == 0))
	gauge(ch, descConfigLoaded, float64(s.ReadAt.UnixMilli())/1000)
	counter(ch, descConfigFailures, s.Failures)
	gauge(ch, descNeedRestart, float64(len(s.NeedRestart)))
}

// hashGauge is the first 48 bits: a float64 holds them exactly.
func hashGauge(d [sha256.Size]byte) float64 {
	return float64(binary.BigEndian.Uint64(d[:8]) >> 16)
}
