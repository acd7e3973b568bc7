package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rescind"
	"rescind/internal/problem"
)

func TestLogoutOfOneDevice(t *testing.T) {
	r := newRig(t)
	raw, other := access(t), access(t, "sid", "session-2", "jti", "token-2")
	rec := r.do("DELETE", "/v1/session", raw, "", "")
	wantStatus(t, rec, http.StatusOK)
	got := decode[receiptJSON](t, rec.Body)
	if got.Scope != "sid" || !got.Confirmed || len(got.Acknowledged) != 2 || got.WindowMS == nil || *got.WindowMS != 2.25 {
		t.Errorf("receipt %+v", got)
	}
	if got.Acknowledged[0] != (ackJSON{"b", 1.5}) || len(got.Digest) != 32 || got.ExpiresAt.IsZero() {
		t.Errorf("receipt %+v", got)
	}
	wantStatus(t, r.do("GET", "/v1/check", raw, "", ""), http.StatusUnauthorized)
	wantStatus(t, r.do("GET", "/v1/check", other, "", ""), http.StatusOK)
	wantStatus(t, r.do("DELETE", "/v1/session", raw, "", ""), http.StatusUnauthorized)
}

func TestLogoutWithoutSessionEndsTheToken(t *testing.T) {
	r := newRig(t)
	raw := access(t, "sid", nil)
	rec := r.do("DELETE", "/v1/session", raw, "", "")
	wantStatus(t, rec, http.StatusOK)
	if got := decode[receiptJSON](t, rec.Body); got.Scope != "jti" {
		t.Errorf("scope %s, want jti", got.Scope)
	}
	wantStatus(t, r.do("GET", "/v1/check", raw, "", ""), http.StatusUnauthorized)
}

func TestLogoutEverywhere(t *testing.T) {
	r := newRig(t)
	raw, other, bob := access(t), access(t, "sid", "session-2", "jti", "token-2"), access(t, "sub", "bob")
	rec := r.do("DELETE", "/v1/sessions?ack=majority&timeout=5", raw, "", "")
	wantStatus(t, rec, http.StatusOK)
	if got := decode[receiptJSON](t, rec.Body); got.Scope != "sub" || got.IssuedBefore == nil {
		t.Errorf("receipt %+v", got)
	}
	wantStatus(t, r.do("GET", "/v1/check", other, "", ""), http.StatusUnauthorized)
	wantStatus(t, r.do("GET", "/v1/check", bob, "", ""), http.StatusOK)
}

// A token whose issuer's clock runs ahead must not outlive the logout that it
// asked for itself.
func TestLogoutEverywhereCoversATokenFromTheFuture(t *testing.T) {
	r := newRig(t)
	raw := access(t, "iat", time.Now().Add(20*time.Second).Unix())
	wantStatus(t, r.do("GET", "/v1/check", raw, "", ""), http.StatusOK)
	wantStatus(t, r.do("DELETE", "/v1/sessions", raw, "", ""), http.StatusOK)
	wantStatus(t, r.do("GET", "/v1/check", raw, "", ""), http.StatusUnauthorized)
}

func TestLogoutEverywhereNeedsASubject(t *testing.T) {
	wantProblem(t, newRig(t).do("DELETE", "/v1/sessions", access(t, "sub", nil), "", ""), problem.InvalidField, "sub")
}

func TestLogoutRefusesBadTokens(t *testing.T) {
	for _, target := range []string{"/v1/session", "/v1/sessions"} {
		r := newRig(t)
		for _, raw := range []string{"", "abc", access(t, "exp", time.Now().Add(-time.Hour).Unix()), refresh(t)} {
			wantStatus(t, r.do("DELETE", target, raw, "", ""), http.StatusUnauthorized)
		}
		if len(r.node.all()) != 0 {
			t.Errorf("%s revoked something", target)
		}
	}
}

func TestLogoutWorksOnAStaleNodeButNotOnAnUnreadyOne(t *testing.T) {
	r := newRig(t)
	r.node.verdict = rescind.Stale
	wantStatus(t, r.do("DELETE", "/v1/session", access(t), "", ""), http.StatusOK)
	// Its own session is known to be over now, stale or not.
	wantStatus(t, r.do("DELETE", "/v1/session", access(t), "", ""), http.StatusUnauthorized)
	r.node.verdict = rescind.Unknown
	wantProblem(t, r.do("DELETE", "/v1/session", access(t, "sid", "session-3"), "", ""), problem.CannotKnow, "")
}

func TestAckAndTimeout(t *testing.T) {
	for query, want := range map[string]call{
		"":                           {ack: rescind.AckDefault, timeout: 2 * time.Second},
		"?ack=local":                 {ack: rescind.AckLocal, timeout: localWait},
		"?ack=all":                   {ack: rescind.AckAll, timeout: 2 * time.Second},
		"?ack=majority&timeout=1.5":  {ack: rescind.AckMajority, timeout: 1500 * time.Millisecond},
		"?ack=2&timeout=2250ms":      {ack: 2, timeout: 2250 * time.Millisecond},
		"?timeout=60":                {ack: rescind.AckDefault, timeout: time.Minute},
		"?timeout=1m":                {ack: rescind.AckDefault, timeout: time.Minute},
		"?ack=local&timeout=3s":      {ack: rescind.AckLocal, timeout: 3 * time.Second},
		"?%61ck=all&timeout=%31%30s": {ack: rescind.AckAll, timeout: 10 * time.Second},
	} {
		r := newRig(t)
		wantStatus(t, r.do("DELETE", "/v1/session"+query, access(t), "", ""), http.StatusOK)
		calls := r.node.all()
		if len(calls) != 1 || calls[0].ack != want.ack || calls[0].timeout > want.timeout || calls[0].timeout < want.timeout-time.Second {
			t.Errorf("%q: %+v, want %+v", query, calls, want)
		}
	}
}

func TestBadAckAndTimeout(t *testing.T) {
	for query, field := range map[string]string{
		"ack=some":                 "ack",
		"ack=":                     "ack",
		"ack=1.5":                  "ack",
		"ack=99999999999999999999": "ack",
		"timeout=9999999999999h":   "timeout",
		"ack=-1":                   "ack",
		"ack=10001":                "ack",
		"ack=all&ack=local":        "ack",
		"timeout=":                 "timeout",
		"timeout=0":                "timeout",
		"timeout=-1s":              "timeout",
		"timeout=61":               "timeout",
		"timeout=NaN":              "timeout",
		"timeout=Inf":              "timeout",
		"timeout=1e3":              "timeout",
		"timeout=1..2":             "timeout",
		"akc=all":                  "akc",
		"%00%ff=1":                 "(unnamed)",
		"ack=%zz":                  "query",
		"a;b=1":                    "query",
	} {
		r := newRig(t)
		wantProblem(t, r.do("DELETE", "/v1/session?"+query, access(t), "", ""), problem.InvalidField, field)
		wantProblem(t, r.post("/v1/revocations?"+query, `{"scope":"jti","id":"x"}`), problem.InvalidField, field)
		if len(r.node.all()) != 0 {
			t.Errorf("%q revoked something", query)
		}
	}
}

func TestLogoutThatIsNotConfirmedInTimeIs202(t *testing.T) {
	r := newRig(t)
	r.node.hang, r.node.missing = true, []string{"c"}
	rec := r.do("DELETE", "/v1/session?ack=all&timeout=10ms", access(t), "", "")
	wantStatus(t, rec, http.StatusAccepted)
	got := decode[receiptJSON](t, rec.Body)
	if got.Confirmed || len(got.Missing) != 1 || !strings.Contains(got.Note, "goes on spreading") {
		t.Errorf("receipt %+v", got)
	}
}

func TestLogoutSurvivesTheClientsHangingUp(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req := httptest.NewRequestWithContext(ctx, "DELETE", "/v1/session?ack=all", nil)
	req.Header.Set("Authorization", "Bearer "+access(t))
	wantStatus(t, r.send(req), http.StatusOK)
}

func TestNodeFailuresBecomeProblems(t *testing.T) {
	for err, want := range map[error]problem.Kind{
		rescind.ErrFull:                     problem.Full,
		rescind.ErrNotReady:                 problem.NotReady,
		rescind.ErrClosed:                   problem.Closing,
		rescind.ErrIsolated:                 problem.Isolated,
		rescind.ErrUnavailable:              problem.Unstored,
		context.DeadlineExceeded:            problem.Timeout,
		errors.New("disk: no space, token"): problem.Unexpected,
	} {
		r := newRig(t)
		r.node.err = err
		wantProblem(t, r.do("DELETE", "/v1/session", access(t), "", ""), want, "")
		wantProblem(t, r.post("/v1/revocations", `{"scope":"jti","id":"x"}`), want, "")
		if rec := r.form("/oauth2/revoke", "", "token="+access(t)); rec.Code != http.StatusServiceUnavailable {
			t.Errorf("%v at /oauth2/revoke: %d", err, rec.Code)
		}
		if !strings.Contains(r.log.String(), "revocation not accepted") {
			t.Errorf("%v is not in the log", err)
		}
	}
}

func TestReceiptWithoutAcknowledgementsClaimsNoWindow(t *testing.T) {
	r := newRig(t)
	r.node.acks = nil
	rec := r.do("DELETE", "/v1/session", access(t), "", "")
	if body := rec.Body.String(); !strings.Contains(body, `"window_ms":null`) || !strings.Contains(body, `"acknowledged":[]`) || !strings.Contains(body, `"missing":[]`) || !strings.Contains(body, `"issued_before":null`) {
		t.Error(body)
	}
}
