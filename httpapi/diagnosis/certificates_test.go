package diagnosis

import (
	"strings"
	"testing"
	"time"
)

// TestCertificatesAreSaidBeforeTheyExpire: 14 days before, or a third of a short life;
// it used to be said nowhere, not even afterwards.
func TestCertificatesAreSaidBeforeTheyExpire(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		setting    string
		life, left time.Duration
		want, says string
	}{
		"fresh":                {"http.tls-cert-file", 90 * day, 60 * day, "", ""},
		"15 days":              {"http.tls-cert-file", 90 * day, 15 * day, "", ""},
		"13 days":              {"http.tls-cert-file", 90 * day, 13 * day, "certificate-expires warning", "312h0m0s more, until 2026-12-12"},
		"one of a day, fresh":  {"http.tls-cert-file", day, 20 * time.Hour, "", ""},
		"one of a day, at end": {"http.tls-cert-file", day, 7 * time.Hour, "certificate-expires warning", "can't connect"},
		"expired":              {"http.tls-cert-file", 90 * day, -time.Second, "certificate-expired critical", "out of date since 2026-11-28"},
		"authority":            {"admin.client-ca-file", 900 * day, 0, "certificate-expired critical", "not let in"},
		"list":                 {"admin.client-crl-file", 7 * day, -day, "certificate-expired critical", "lets nobody in"},
		"list of a week":       {"admin.client-crl-file", 7 * day, 5 * day, "", ""},
		"another":              {"new.file", 90 * day, day, "certificate-expires warning", "refused"},
	} {
		v := healthy()
		v.Now = now
		v.Certificates = []Certificate{{c.setting, now.Add(c.left - c.life), now.Add(c.left)}}
		var got, text string
		for _, p := range Problems(v) {
			got += p.Name + " " + p.Severity.String()
			text += p.What + p.Meaning + p.Do
		}
		if got != c.want || !strings.Contains(text, c.says) {
			t.Errorf("%s: %q, %q", name, got, text)
		}
	}
}
