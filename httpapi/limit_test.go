package httpapi

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rescind/cluster"
	"rescind/filter"
)

// A caller that comes near its rate is counted before it is refused, and one that
// stays well below is not.
func TestNearTheRate(t *testing.T) {
	for perSecond, c := range map[int]struct{ near, refused bool }{7: {false, false}, 9: {true, false}, 12: {true, true}} {
		synctest.Test(t, func(t *testing.T) {
			stats := new(limitStats)
			l := newLimit(10, stats)
			for range 60 * perSecond {
				l.allow("x")
				time.Sleep(time.Second / time.Duration(perSecond))
			}
			if (stats.near.Load() > 0) != c.near || (stats.refused.Load() > 0) != c.refused {
				t.Errorf("%d a second of 10: %d near, %d refused", perSecond, stats.near.Load(), stats.refused.Load())
			}
		})
	}
}

// The share of a limit that is used up is of number or bytes, whichever is more.
func TestUsedRatio(t *testing.T) {
	r := newRig(t, func(c *Config) { c.AdminRate = 1 })
	for _, c := range []struct {
		total, max, bytes, maxBytes int
		want                        []string
	}{
		{40, 100, 10, 0, []string{"rescind_revocations_used_ratio 0.4\n"}},
		{40, 100, 80, 100, []string{"rescind_revocations_used_ratio 0.8\n", "rescind_revocations_bytes_limit 100\n"}},
		{90, 100, 80, 100, []string{"rescind_revocations_used_ratio 0.9\n"}},
	} {
		r.node.status = cluster.Status{Total: c.total, Max: c.max, MaxBytes: c.maxBytes, Filter: filter.Stats{Bytes: c.bytes}}
		page := r.do("GET", "/metrics", "", "", "").Body.String()
		for _, want := range c.want {
			if !strings.Contains(page, want) {
				t.Errorf("%+v: the metrics lack %s", c, want)
			}
		}
		if strings.Contains(page, "rescind_revocations_bytes_limit ") != (c.maxBytes > 0) {
			t.Errorf("%+v: a limit of bytes", c)
		}
	}
	for range 5 {
		r.do("GET", "/v1/cluster", testAdmin, "", "")
	}
	page := r.do("GET", "/metrics", "", "", "").Body.String()
	for limit, want := range map[string]int{"admin": 3, "client": 0, "secret": 0} {
		if line := fmt.Sprintf("rescind_rate_limited_total{limit=%q} %d\n", limit, want); !strings.Contains(page, line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
}
