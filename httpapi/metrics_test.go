package httpapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"rescind"
	"rescind/cluster"
)

// fullStatus has a value in every part, and names as odd as a network can
// bring them.
func fullStatus() cluster.Status {
	st := cluster.Status{
		Cluster: "prod", Name: "a", Origin: "00000000000000aa", Epoch: 3, Uptime: 90 * time.Second, Ready: true, Reasons: []cluster.Reason{{Text: "b is silent"}},
		Staleness: cluster.Staleness{Known: true, Bound: 120 * time.Millisecond},
		Members: []cluster.Member{
			{Name: "b", Origin: "00000000000000bb", Epoch: 2, State: cluster.MemberSilent, Staleness: 120 * time.Millisecond, Known: true, LastHeard: time.Second, Behind: 4, Unacked: 5, ClockSkew: -1500 * time.Millisecond, ClockSkewError: 120 * time.Millisecond},
			{Name: "c", Origin: "00000000000000cc", State: cluster.MemberAlive, LastHeard: 10 * time.Millisecond},
			{Name: "d", Origin: "00000000000000dd", State: cluster.MemberLeft},
		},
		Revocations: map[rescind.Scope]int{rescind.ScopeJTI: 7, rescind.ScopeSub: 2}, Total: 9, Max: 1000,
		Counters: cluster.Counters{Revoked: 1, Applied: 2, Repairs: 3, StateRequests: 4, Swept: 5, Refused: 6, Malformed: 7, Dropped: 9, Commits: 8, Waits: 10, WaitTimeouts: 11, WaitsRefused: 12, TooStale: 13, Healed: 17, Unsound: 18, OtherVersion: 19, ReadsDropped: 20, CompareBytes: 21, FirstByGossip: 22},
		Window:   cluster.Histogram{Bounds: []time.Duration{time.Millisecond, 10 * time.Millisecond}, Counts: []uint64{5, 3, 2}, Sum: 100 * time.Millisecond},
	}
	st.Accepted = map[rescind.Scope]uint64{rescind.ScopeSID: 31}
	st.Refused = cluster.Refused{Revocations: map[string]uint64{"full": 34, "invalid": 0}, Uses: map[string]uint64{"used": 35}}
	seconds := func(counts ...uint64) cluster.Histogram {
		return cluster.Histogram{Bounds: []time.Duration{time.Second}, Counts: counts, Sum: 3 * time.Second}
	}
	st.StalenessSeen, st.Gaps, st.Store.Syncs = seconds(36, 1), seconds(37, 1), seconds(38, 1)
	st.Members[0].Window = seconds(39, 2)
	st.Queues = []cluster.Queue{{Name: "inbox", Length: 40, Limit: 41}}
	st.InboxBytes, st.Store.DiskBytes, st.Store.LogBytes, st.Store.SlowOperations, st.Store.BackgroundErrors = 42, 43, 44, 45, 46
	st.Comparisons.Equal, st.Comparisons.Different, st.Comparisons.Unanswered = 22, 23, 24
	// Package carrier is none of this package's imports, also not here.
	st.Carriers = slices.Grow(st.Carriers, 2)[:2]
	gossip, nats := &st.Carriers[0], &st.Carriers[1]
	gossip.Name, gossip.Connected, gossip.Members = "gossip", true, 2
	gossip.Sent, gossip.SentBytes, gossip.Received, gossip.ReceivedBytes = 11, 12, 13, 14
	gossip.Dropped, gossip.Errors = 15, 16
	nats.Name = "nats"
	return st
}

func scrape(t *testing.T, r *rig) string {
	t.Helper()
	rec := r.do("GET", "/metrics", "", "", "")
	wantStatus(t, rec, http.StatusOK)
	problems, err := promlint.New(strings.NewReader(rec.Body.String())).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	return rec.Body.String()
}

func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("there is no line %s", line)
		}
	}
}

func TestMetrics(t *testing.T) {
	r := newRig(t)
	r.node.status = fullStatus()
	r.do("GET", "/v1/check", access(t), "", "")
	r.do("GET", "/v1/check?require_scope=admin", access(t), "", "")
	r.do("GET", "/v1/check", "", "", "")
	r.do("GET", "/v1/check", "x", "", "")
	r.do("GET", "/v1/check", access(t, "exp", time.Now().Add(-time.Hour).Unix()), "", "")
	r.do("DELETE", "/v1/session", access(t), "", "")
	r.do("GET", "/v1/check", access(t), "", "")
	r.node.verdict = rescind.Stale
	r.do("GET", "/v1/check", access(t, "sid", "other"), "", "")
	r.node.verdict = rescind.Unknown
	r.do("GET", "/v1/check", access(t, "sid", "other"), "", "")
	r.node.verdict = rescind.Valid
	r.ask("/v1/check", access(t, "sid", "other"), "Rescind-Version", "behind")
	r.ask("/v1/check", access(t, "sid", "other"), "Rescind-Version", "?")
	text := scrape(t, r)
	for _, name := range resultNames {
		wantLines(t, text, `rescind_checks_total{result="`+name+`"} 1`)
	}
	wantLines(t, text,
		`rescind_ready 1`,
		`rescind_carrier_connected{carrier="gossip"} 1`, `rescind_carrier_connected{carrier="nats"} 0`,
		`rescind_carrier_sent_messages_total{carrier="gossip"} 11`, `rescind_carrier_sent_bytes_total{carrier="gossip"} 12`,
		`rescind_carrier_received_messages_total{carrier="gossip"} 13`, `rescind_carrier_received_bytes_total{carrier="gossip"} 14`,
		`rescind_carrier_dropped_messages_total{carrier="gossip"} 15`, `rescind_carrier_errors_total{carrier="gossip"} 16`,
		`rescind_members{state="alive"} 1`, `rescind_members{state="silent"} 1`, `rescind_members{state="left"} 1`,
		`rescind_staleness_bound_seconds 0.12`, `rescind_staleness_seconds{peer="b"} 0.12`, `rescind_staleness_seconds{peer="c"} +Inf`,
		`rescind_revocations{scope="jti"} 7`, `rescind_revocations{scope="sub"} 2`, `rescind_revocations{scope="kid"} 0`, `rescind_revocations_limit 1000`,
		`rescind_propagation_seconds_bucket{le="0.001"} 5`, `rescind_propagation_seconds_bucket{le="0.01"} 8`, `rescind_propagation_seconds_bucket{le="+Inf"} 10`,
		`rescind_propagation_seconds_sum 0.1`, `rescind_propagation_seconds_count 10`,
		`rescind_node_info{cluster="prod",node="a"} 1`,
		`rescind_revocations_accepted_total{scope="sid"} 31`, `rescind_revocations_accepted_total{scope="jti"} 0`,
		`rescind_carrier_first_total{carrier="gossip"} 22`, `rescind_carrier_first_total{carrier="nats"} 0`,
		`rescind_revocations_refused_total{reason="full"} 34`, `rescind_revocations_refused_total{reason="invalid"} 0`,
		`rescind_tokens_consume_refused_total{reason="used"} 35`,
		`rescind_staleness_bound_observed_seconds_bucket{le="1"} 36`, `rescind_gap_seconds_bucket{le="1"} 37`, `rescind_store_sync_seconds_bucket{le="1"} 38`,
		`rescind_peer_propagation_seconds_bucket{peer="b",le="1"} 39`, `rescind_peer_propagation_seconds_count{peer="b"} 41`, `rescind_peer_propagation_seconds_sum{peer="b"} 3`,
		`rescind_queue_length{queue="inbox"} 40`, `rescind_queue_limit{queue="inbox"} 41`, `rescind_inbox_bytes 42`,
		`rescind_store_bytes 43`, `rescind_store_log_bytes 44`, `rescind_store_slow_operations_total 45`, `rescind_store_background_errors_total 46`,
		`rescind_peer_behind_records{peer="b"} 4`, `rescind_peer_unacknowledged_records{peer="b"} 5`,
		`rescind_records_applied_total 2`, `rescind_repairs_total 3`, `rescind_state_requests_total 4`,
		`rescind_records_swept_total 5`, `rescind_messages_refused_total{reason="foreign"} 6`, `rescind_messages_refused_total{reason="unsigned"} 0`, `rescind_messages_malformed_total 7`, `rescind_messages_dropped_total 9`, `rescind_store_commits_total 8`,
		`rescind_version_waits_total 10`, `rescind_version_wait_timeouts_total 11`, `rescind_version_waits_refused_total 12`, `rescind_staleness_bounds_missed_total 13`,
		`rescind_healed_total 17`, `rescind_unsound_total 18`, `rescind_messages_other_version_total 19`, `rescind_reads_dropped_total 20`, `rescind_comparison_bytes_total 21`,
		`rescind_comparisons_total{outcome="equal"} 22`, `rescind_comparisons_total{outcome="different"} 23`, `rescind_comparisons_total{outcome="unanswered"} 24`,
		`rescind_clock_skew_seconds{peer="b"} -1.5`,
	)
	if strings.Contains(text, `peer="d"`) {
		t.Error("a member that left still has a staleness")
	}
	if !strings.Contains(text, `rescind_build_info{goversion="go`) || !strings.Contains(text, `version="v0.0.0-test"} 1`) {
		t.Error("no build info")
	}
}

func TestMetricsOfANodeThatDrains(t *testing.T) {
	r := newRig(t)
	r.api.Drain()
	r.node.status.Staleness = cluster.Staleness{}
	wantLines(t, scrape(t, r), `rescind_ready 0`, `rescind_staleness_bound_seconds +Inf`)
}

func TestMetricsSurviveOddNames(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"twin", "twin", "\xff\xfe", "", "a\"b\n", strings.Repeat("n", 500), strings.Repeat("n", 501)} {
		r.node.status.Members = append(r.node.status.Members, cluster.Member{Name: name, State: cluster.MemberAlive, Known: true, Staleness: time.Duration(len(r.node.status.Members)) * time.Second})
	}
	r.node.status.Members = append(r.node.status.Members, cluster.Member{Name: "odd", State: "nonsense"})
	text := scrape(t, r)
	wantLines(t, text, `rescind_staleness_seconds{peer="twin"} 1`, `rescind_staleness_seconds{peer="`+strings.Repeat("n", maxLabel)+`"} 6`, `rescind_members{state="alive"} 7`)
	if strings.Contains(text, "nonsense") {
		t.Error("an unknown state became a label")
	}
}

func TestMetricsBoundThePeers(t *testing.T) {
	r := newRig(t)
	window := cluster.Histogram{Bounds: []time.Duration{time.Second}, Counts: []uint64{1, 0}}
	for i := range 3 * maxPeers {
		r.node.status.Members = append(r.node.status.Members, cluster.Member{Name: "n" + strconv.Itoa(i), State: cluster.MemberAlive, Known: true, Staleness: time.Duration(i) * time.Second, Window: window})
	}
	text := scrape(t, r)
	if n := strings.Count(text, "rescind_staleness_seconds{"); n != maxPeers+1 {
		t.Errorf("%d series, want %d", n, maxPeers+1)
	}
	wantLines(t, text, `rescind_staleness_seconds{peer="(other)"} `+strconv.Itoa(3*maxPeers-1))
	if n := strings.Count(text, "rescind_peer_propagation_seconds_count{"); n != maxPeerWindows+1 {
		t.Errorf("%d windows, want %d", n, maxPeerWindows+1)
	}
	wantLines(t, text, `rescind_peer_propagation_seconds_count{peer="(other)"} `+strconv.Itoa(3*maxPeers-maxPeerWindows))
}

// One check in 1,024 is timed: of 100,000 some 98, and never none or all.
func TestChecksAreTimedNowAndThen(t *testing.T) {
	r := newRig(t)
	for range 100_000 {
		r.api.Judge(t.Context(), Question{})
	}
	_, after, _ := strings.Cut(scrape(t, r), "\nrescind_check_seconds_count ")
	if n, err := strconv.Atoi(strings.Fields(after)[0]); err != nil || n < 20 || n > 300 {
		t.Errorf("%d of 100,000 checks were timed (%v)", n, err)
	}
}

// Two nodes in one process, and an embedder's own registry, must not collide.
func TestMetricsAreNotGlobal(t *testing.T) {
	newRig(t)
	newRig(t)
}
