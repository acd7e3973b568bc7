package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"rescind"
	"rescind/internal/problem"
)

// bulkLines sends lines and returns the answers.
func bulkLines(t *testing.T, r *rig, body string) ([]bulkResult, bulkSummary) {
	t.Helper()
	rec := r.do("POST", "/v1/revocations/bulk?ack=local", testAdmin, "application/x-ndjson", body)
	wantStatus(t, rec, http.StatusOK)
	var results []bulkResult
	var sum bulkSummary
	lines := strings.Split(strings.TrimSpace(rec.Body.String()), "\n")
	for i, line := range lines {
		if i == len(lines)-1 {
			if err := json.Unmarshal([]byte(line), &sum, json.RejectUnknownMembers(true)); err != nil {
				t.Fatalf("%v in %s", err, line)
			}
			break
		}
		var one bulkResult
		if err := json.Unmarshal([]byte(line), &one, json.RejectUnknownMembers(true)); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		results = append(results, one)
	}
	return results, sum
}

func TestBulkReportsEachLine(t *testing.T) {
	r := newRig(t)
	results, sum := bulkLines(t, r, `{"scope":"jti","id":"a","reason":"leaked"}
{"scope":"nope","id":"b"}

{"scope":"sid","id":"c"}
not json
{"scope":"jti","id":"a"}
{"token":"x"}`)
	want := []int{201, 400, 201, 400, 201, 400}
	for i, one := range results {
		if one.Line != i+1 || one.Status != want[i] || (one.Problem != nil) != (want[i] == 400) || (one.Digest == "") != (want[i] == 400) {
			t.Errorf("line %d: %+v", i+1, one)
		}
	}
	if (sum != bulkSummary{Done: true, Lines: 6, Accepted: 3, Failed: 3}) || len(results) != 6 {
		t.Errorf("%+v after %d results", sum, len(results))
	}
	if results[1].Problem.Field != "scope" || len(r.node.all()) != 3 || !strings.Contains(r.log.String(), "leaked") {
		t.Errorf("problem %+v, %d revocations", results[1].Problem, len(r.node.all()))
	}
	r.node.err = rescind.ErrFull
	if results, sum := bulkLines(t, r, `{"scope":"jti","id":"a"}`); results[0].Status != 503 || sum.Failed != 1 || !sum.Done {
		t.Errorf("%+v %+v", results, sum)
	}
	r.node.err = nil
	if results, sum := bulkLines(t, r, strings.Repeat("x", maxBody+1)); results[0].Status != 400 || sum.Done {
		t.Errorf("a line without end: %+v %+v", results, sum)
	}
	if _, sum := bulkLines(t, r, ""); sum != (bulkSummary{Done: true}) {
		t.Errorf("nothing: %+v", sum)
	}
	wantProblem(t, r.do("POST", "/v1/revocations/bulk", testAdmin, "application/json", "{}"), problem.MediaType, "")
	wantProblem(t, r.do("POST", "/v1/revocations/bulk?ack=x", testAdmin, "application/x-ndjson", "{}"), problem.InvalidField, "ack")
	wantProblem(t, r.do("POST", "/v1/revocations/bulk", "", "application/x-ndjson", "{}"), problem.Admin, "")
}

// TestBulkStreams: an answer comes while the body is still being sent, by HTTP/1.1
// and HTTP/2, and 20,000 lines come back in order.
func TestBulkStreams(t *testing.T) {
	r := newRig(t)
	for _, http2 := range []bool{false, true} {
		server := httptest.NewUnstartedServer(r.api.Handler())
		server.EnableHTTP2 = http2
		server.StartTLS()
		in, out := io.Pipe()
		req, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+"/v1/revocations/bulk?ack=local", in)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+testAdmin)
		req.Header.Set("Content-Type", "application/x-ndjson")
		sent := make(chan error, 1)
		answered := make(chan struct{})
		const lines = 20_000
		go func() {
			defer out.Close()
			for i := range lines {
				if _, err := fmt.Fprintf(out, "{\"scope\":\"jti\",\"id\":\"%d\"}\n", i%100); err != nil {
					sent <- err
					return
				}
				if i == 0 {
					<-answered
				}
			}
			sent <- nil
		}()
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answers := bufio.NewScanner(resp.Body)
		for i := 1; i <= lines; i++ {
			var one bulkResult
			if !answers.Scan() || json.Unmarshal(answers.Bytes(), &one) != nil || one.Line != i || one.Status != 201 {
				t.Fatalf("line %d: %s %v", i, answers.Text(), answers.Err())
			}
			if i == 1 {
				close(answered)
			}
		}
		if !answers.Scan() || answers.Text() != `{"done":true,"lines":20000,"accepted":20000,"failed":0}` {
			t.Errorf("at the end: %s", answers.Text())
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
		resp.Body.Close()
		server.Close()
		r.node.forget()
	}
}

// TestBulkSurvivesAPanic: a bug that one line meets is the failure of that line. It used
// to end the process, since each line has a goroutine of its own.
func TestBulkSurvivesAPanic(t *testing.T) {
	r := newRig(t)
	results, sum := bulkLines(t, r, `{"scope":"jti","id":"a"}
{"scope":"jti","id":"`+panicID+`"}
{"scope":"jti","id":"b"}`)
	if (sum != bulkSummary{Done: true, Lines: 3, Accepted: 2, Failed: 1}) || results[1].Status != 500 || results[2].Status != 201 {
		t.Errorf("%+v %+v", results, sum)
	}
	if log := r.log.String(); !strings.Contains(log, "panic") || strings.Contains(log, "a bug") {
		t.Errorf("the log: %s", log)
	}
}
