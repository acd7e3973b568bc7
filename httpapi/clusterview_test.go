package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"rescind/cluster"
)

func TestClusterView(t *testing.T) {
	r := newRig(t)
	r.node.status = fullStatus()
	rec := r.do("GET", "/v1/cluster", testAdmin, "", "")
	wantStatus(t, rec, http.StatusOK)
	body := rec.Body.String()
	for _, want := range []string{
		`{"cluster":"prod","name":"a","origin":"00000000000000aa","epoch":3,"version":"v0.0.0-test","uptime_ms":90000,"ready":true,"draining":false,"reasons":["b is silent"],"problems":[{"name":"unsound","severity":"critical","what":"`,
		`"do":"See the log of this node, and docs/operations.md."}`, `],"staleness_ms":120,"members":[`,
		`{"name":"b","origin":"00000000000000bb","epoch":2,"state":"silent","staleness_ms":120,"last_heard_ms":1000,"behind":4,"unacked":5,"clock_skew_ms":-1500,"clock_error_ms":120}`,
		`"name":"c","origin":"00000000000000cc","epoch":0,"state":"alive","staleness_ms":null,"last_heard_ms":10`,
		`"total":9,"max":1000`, `"jti":7`, `"kid":0`,
		`"counters":{"revoked":1,"applied":2,"repairs":3,"state_requests":4,"swept":5,"refused":6,"malformed":7,"dropped":9,"commits":8,"waits":10,"wait_timeouts":11,"waits_refused":12,"too_stale":13,"healed":17,"unsound":18,"other_version":19,"turned_away":0,"reads_dropped":20,"compare_bytes":21}`,
		`"comparisons":{"equal":22,"different":23,"unanswered":24}`,
		`{"name":"gossip","connected":true,"address":"","members":2,"sent":11,"sent_bytes":12,"received":13,"received_bytes":14,"dropped":15,"overrun":0,"refused":0,"first":22,"errors":16,"reconnects":0,"logins_refused":0,"last_error":""}`,
		`"window":{"count":10,"sum_ms":100,"buckets":[{"up_to_ms":1,"count":5},{"up_to_ms":10,"count":3},{"up_to_ms":null,"count":2}]}`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the answer lacks %s:\n%s", want, body)
		}
	}
}

func TestClusterViewOfALonelyNode(t *testing.T) {
	rec := newRig(t).do("GET", "/v1/cluster", testAdmin, "", "")
	wantStatus(t, rec, http.StatusOK)
	for _, want := range []string{`"problems":[]`, `"members":[]`, `"carriers":[]`, `"reasons":[]`, `"buckets":[]`} {
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("the answer lacks %s: %s", want, rec.Body)
		}
	}
}

// A name from another member may be any bytes; the operator must still see
// the rest.
func TestClusterViewSurvivesOddNames(t *testing.T) {
	r := newRig(t)
	r.node.status = fullStatus()
	r.node.status.Members[0].Name = "\xff"
	r.node.status.Reasons = []cluster.Reason{{Text: "\xff is silent"}}
	wantStatus(t, r.do("GET", "/v1/cluster", testAdmin, "", ""), http.StatusOK)
	wantStatus(t, r.do("GET", "/readyz", "", "", ""), http.StatusOK)
}
