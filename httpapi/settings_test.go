package httpapi

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestSettingsStatus(t *testing.T) {
	status := SettingsStatus{
		Digest: [32]byte{0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0}, LoadedAt: time.Unix(1_700_000_000, 0), ReadAt: time.Unix(1_700_000_010, 5e8),
		Failing: []string{"certificate"}, Failures: 3, NeedRestart: []string{"data.dir", "http.addr"},
	}
	r := newRig(t, func(c *Config) { c.Settings = func() SettingsStatus { return status } })
	rec := r.do("GET", "/v1/cluster", testAdmin, "", "")
	wantStatus(t, rec, http.StatusOK)
	if want := `"settings":{"digest":"123456789abcdef0","loaded_at":"2023-11-14T22:13:20Z","failing":["certificate"],"need_restart":["data.dir","http.addr"]}`; !strings.Contains(rec.Body.String(), want) {
		t.Errorf("the answer lacks %s: %s", want, rec.Body)
	}
	page := r.do("GET", "/metrics", "", "", "").Body.String()
	for _, want := range []string{
		"rescind_config_hash 2.0015998343868e+13\n", "rescind_config_last_reload_successful 0\n", "rescind_config_last_reload_success_timestamp_seconds 1.7000000105e+09\n",
		"rescind_config_reload_failures_total 3\n", "rescind_config_restart_required 2\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	fixed := newRig(t)
	if rec := fixed.do("GET", "/v1/cluster", testAdmin, "", ""); strings.Contains(rec.Body.String(), `"settings"`) {
		t.Errorf("settings that are fixed have a status: %s", rec.Body)
	}
	if page := fixed.do("GET", "/metrics", "", "", "").Body.String(); strings.Contains(page, "rescind_config_") {
		t.Error("settings that are fixed have metrics")
	}
}
