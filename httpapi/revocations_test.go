package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"rescind"
	"rescind/internal/problem"
)

func TestRevocationByName(t *testing.T) {
	soon := time.Now().Add(time.Hour).Truncate(time.Second)
	past := time.Now().Add(-time.Minute).Truncate(time.Second)
	unix := func(x time.Time) string { return strconv.FormatInt(x.Unix(), 10) }
	for name, c := range map[string]struct {
		body string
		want rescind.Revocation
	}{
		"defaults":         {`{"scope":"jti","id":"x"}`, rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: testIssuer, ID: "x"}}},
		"all members":      {`{"scope":"sub","iss":"other","id":"x","issued_before":` + unix(past) + `,"expires_at":"` + soon.UTC().Format(time.RFC3339) + `","reason":"left"}`, rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeSub, Issuer: "other", ID: "x"}, IssuedBefore: past, ExpiresAt: soon}},
		"fraction":         {`{"scope":"sub","id":"x","issued_before":` + unix(past) + `.25}`, rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeSub, Issuer: testIssuer, ID: "x"}, IssuedBefore: past.Add(250 * time.Millisecond)}},
		"long fraction":    {`{"scope":"sub","id":"x","issued_before":` + unix(past) + `.1234567891}`, rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeSub, Issuer: testIssuer, ID: "x"}, IssuedBefore: past.Add(123456789)}},
		"offset":           {`{"scope":"kid","id":"x","expires_at":"` + soon.In(time.FixedZone("", 7200)).Format(time.RFC3339) + `"}`, rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeKID, Issuer: testIssuer, ID: "x"}, ExpiresAt: soon}},
		"client":           {`{"scope":"client_id","id":"x"}`, rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeClientID, Issuer: testIssuer, ID: "x"}}},
		"issuer, no id":    {`{"scope":"iss"}`, rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeIss, Issuer: testIssuer}}},
		"issuer as id":     {`{"scope":"iss","id":"other"}`, rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeIss, Issuer: "other", ID: "other"}}},
		"longest id":       {`{"scope":"sid","id":"` + strings.Repeat("x", 1024) + `"}`, rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeSID, Issuer: testIssuer, ID: strings.Repeat("x", 1024)}}},
		"not normalised":   {`{"scope":"sid","id":"e\u0301"}`, rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeSID, Issuer: testIssuer, ID: "e\u0301"}}},
		"blanks around it": {" \n{\"scope\":\"jti\",\"id\":\"x\"}\r\n", rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: testIssuer, ID: "x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			wantStatus(t, r.post("/v1/revocations", c.body), http.StatusCreated)
			got := r.node.all()[0].rev
			if got.Key != c.want.Key || !got.IssuedBefore.Equal(c.want.IssuedBefore) || !got.ExpiresAt.Equal(c.want.ExpiresAt) {
				t.Errorf("revoked %+v\nwant    %+v", got, c.want)
			}
		})
	}
}

func TestRevocationTakesEffectAndIsAudited(t *testing.T) {
	r := newRig(t)
	rec := r.post("/v1/revocations?ack=1", `{"scope":"sub","id":"alice","reason":"stolen phone"}`)
	wantStatus(t, rec, http.StatusCreated)
	got := decode[receiptJSON](t, rec.Body)
	wantStatus(t, r.do("GET", "/v1/check", access(t), "", ""), http.StatusUnauthorized)
	log := r.log.String()
	for _, want := range []string{`"msg":"revoked"`, `"scope":"sub"`, got.Digest, "stolen phone", `"remote":"192.0.2.1"`, `"acknowledged":2`, `"endpoint":"/v1/revocations"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the audit line lacks %s: %s", want, log)
		}
	}
	if strings.Contains(log, "alice") {
		t.Errorf("the audit line tells the id: %s", log)
	}
}

func TestRevocationByToken(t *testing.T) {
	for name, raw := range map[string]string{"with jti": access(t), "without jti": access(t, "jti", nil)} {
		r := newRig(t)
		rec := r.post("/v1/revocations", `{"token":"`+raw+`","reason":"seen in a paste"}`)
		wantStatus(t, rec, http.StatusCreated)
		got := decode[receiptJSON](t, rec.Body)
		if got.Scope != "jti" || got.ExpiresAt.After(time.Now().Add(time.Hour+time.Second)) {
			t.Errorf("%s: receipt %+v", name, got)
		}
		wantStatus(t, r.do("GET", "/v1/check", raw, "", ""), http.StatusUnauthorized)
		wantStatus(t, r.post("/v1/revocations", `{"token":"`+raw+`"}`), http.StatusCreated)
	}
}

func TestRevocationByTokenWorksOnAStaleNode(t *testing.T) {
	r := newRig(t)
	r.node.verdict = rescind.Stale
	wantStatus(t, r.post("/v1/revocations", `{"token":"`+access(t)+`"}`), http.StatusCreated)
}

func TestRevocationByTokenRefuses(t *testing.T) {
	raw := access(t)
	for name, body := range map[string]string{
		"forged":     `{"token":"` + raw[:len(raw)-6] + `AAAAAA"}`,
		"expired":    `{"token":"` + access(t, "exp", time.Now().Add(-time.Hour).Unix()) + `"}`,
		"empty":      `{"token":""}`,
		"with scope": `{"token":"` + raw + `","scope":"sub"}`,
		"with times": `{"token":"` + raw + `","expires_at":2000000000}`,
		"number":     `{"token":1}`,
		"null":       `{"token":null}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			wantProblem(t, r.post("/v1/revocations", body), problem.InvalidField, "token")
		})
	}
}

func TestRevocationRefusesBadFields(t *testing.T) {
	long := strings.Repeat("x", 1025)
	for body, field := range map[string]string{
		`{}`:                                               "scope",
		`{"id":"x"}`:                                       "scope",
		`{"scope":"JTI","id":"x"}`:                         "scope",
		`{"scope":"","id":"x"}`:                            "scope",
		`{"scope":null,"id":"x"}`:                          "scope",
		`{"scope":1,"id":"x"}`:                             "scope",
		`{"scope":"jti"}`:                                  "id",
		`{"scope":"jti","id":""}`:                          "id",
		`{"scope":"iss","id":""}`:                          "id",
		`{"scope":"jti","id":null}`:                        "id",
		`{"scope":"jti","id":["x"]}`:                       "id",
		`{"scope":"jti","id":"` + long + `"}`:              "id",
		`{"scope":"jti","id":"a\u0000b"}`:                  "id",
		`{"scope":"jti","id":"x","iss":""}`:                "iss",
		`{"scope":"jti","id":"x","iss":null}`:              "iss",
		`{"scope":"jti","id":"x","iss":"` + long + `"}`:    "iss",
		`{"scope":"iss","iss":"a","id":"b"}`:               "id",
		`{"scope":"jti","id":"x","reason":{}}`:             "reason",
		`{"scope":"jti","id":"x","reason":"` + long + `"}`: "reason",
		`{"scope":"jti","id":"x","Reason":"y"}`:            "Reason",
		`{"scope":"jti","id":"x","until":1}`:               "until",
		`{"scope":"jti","id":"x","id":"y"}`:                "id",
		`{"scope":"jti","id":"x","\u0069d":"y"}`:           "id",
		`{"scope":"jti","id":"x","a b":1}`:                 "(unnamed)",
	} {
		r := newRig(t)
		rec := r.post("/v1/revocations", body)
		if rec.Code != http.StatusBadRequest {
			t.Errorf("%.60s: %d", body, rec.Code)
			continue
		}
		if p := decode[problem.Body](t, rec.Body); p.Field != field || p.Type != "urn:rescind:problem:invalid-field" {
			t.Errorf("%.60s: field %q (%s), want %q", body, p.Field, p.Detail, field)
		}
		if len(r.node.all()) != 0 {
			t.Errorf("%.60s revoked something", body)
		}
	}
}

// Between two issuers a guess would revoke nothing and look like success.
func TestRevocationNeedsAnIssuerWhereThereIsNoOnlyOne(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Issuer = "" })
	wantProblem(t, r.post("/v1/revocations", `{"scope":"jti","id":"x"}`), problem.InvalidField, "iss")
	wantProblem(t, r.post("/v1/revocations", `{"scope":"iss"}`), problem.InvalidField, "iss")
	wantStatus(t, r.post("/v1/revocations", `{"scope":"jti","id":"x","iss":"`+testIssuer+`"}`), http.StatusCreated)
	wantStatus(t, r.post("/v1/revocations", `{"scope":"iss","id":"`+testIssuer+`"}`), http.StatusCreated)
}

func TestRevocationRefusesAbsurdTimes(t *testing.T) {
	for _, field := range []string{"issued_before", "expires_at"} {
		for _, value := range []string{
			`0`, `-1`, `-0`, `0.5`, `1e18`, `1e9`, `1.7e9`, `1700000000.5e1`, `253402300800`, `99999999999999999999`, `9223372036854775807`, `1e999999999`,
			`"NaN"`, `"Infinity"`, `"1700000000"`, `""`, `"tomorrow"`, `"0001-01-01T00:00:00Z"`, `"1969-12-31T23:59:59Z"`, `"2026-13-01T00:00:00Z"`, `"2026-01-01"`,
			`"2026-01-01T00:00:00"`, `"2026-01-01T00:00:00,5Z"`, `"2026-01-01T1:00:00Z"`, `"9999-12-31T23:59:59-23:59"`, `"2026-01-01T00:00:00+24:00"`, `null`, `true`, `[]`, `{}`, `{"a":{}}`,
			`"` + time.Now().Add(40*24*time.Hour).UTC().Format(time.RFC3339) + `"`, strconv.FormatInt(time.Now().Add(40*24*time.Hour).Unix(), 10),
		} {
			r := newRig(t)
			wantProblem(t, r.post("/v1/revocations", `{"scope":"sub","id":"x","`+field+`":`+value+`}`), problem.InvalidField, field)
		}
	}
	r := newRig(t)
	wantProblem(t, r.post("/v1/revocations", `{"scope":"jti","id":"x","expires_at":1700000000}`), problem.InvalidField, "expires_at")
	r = newRig(t, func(c *Config) { c.MaxLifetime = time.Hour })
	inTwoHours := strconv.FormatInt(time.Now().Add(2*time.Hour).Unix(), 10)
	wantProblem(t, r.post("/v1/revocations", `{"scope":"jti","id":"x","expires_at":`+inTwoHours+`}`), problem.InvalidField, "expires_at")
}

func TestRevocationRefusesMalformedBodies(t *testing.T) {
	for _, body := range []string{
		``, ` `, `null`, `[]`, `"x"`, `1`, `{`, `{"scope"`, `{"scope":"jti"`, `{"scope":"jti","id":"x"}{}`, `{"scope":"jti","id":"x"} x`, `{"scope":"jti","id":"x"},`,
		"{\"scope\":\"jti\",\"id\":\"\xff\"}", `{"scope":"jti","id":"\ud800"}`, "\xef\xbb\xbf{}", `{'scope':'jti'}`, `{"scope":"jti","id":"x",}`, "{\"scope\":\"jti\",\"id\":\"a\nb\"}", `{"id":01}`,
	} {
		r := newRig(t)
		rec := r.post("/v1/revocations", body)
		if rec.Code != http.StatusBadRequest || len(r.node.all()) != 0 {
			t.Errorf("%q: %d %s", body, rec.Code, rec.Body)
		}
		if p := decode[problem.Body](t, rec.Body); p.Type != "urn:rescind:problem:malformed-body" && p.Field != "id" {
			t.Errorf("%q: %+v", body, p)
		}
	}
}

func TestBodiesAreBounded(t *testing.T) {
	big := `{"scope":"jti","id":"` + strings.Repeat("x", maxBody) + `"}`
	r := newRig(t)
	wantProblem(t, r.post("/v1/revocations", big), problem.TooLarge, "")
	req := httptest.NewRequest("POST", "/v1/revocations", strings.NewReader(big))
	req.ContentLength = -1 // chunked
	req.Header.Set("Authorization", "Bearer "+testAdmin)
	req.Header.Set("Content-Type", "application/json")
	wantProblem(t, r.send(req), problem.TooLarge, "")
	for _, target := range []string{"/oauth2/revoke", "/oauth2/introspect"} {
		wantStatus(t, r.form(target, testAdmin, "token="+strings.Repeat("x", maxBody)), http.StatusRequestEntityTooLarge)
	}
}

func TestMediaTypes(t *testing.T) {
	const body = `{"scope":"jti","id":"x"}`
	for mediaType, ok := range map[string]bool{
		"application/json":                    true,
		"Application/JSON; charset=UTF-8":     true,
		"":                                    false,
		"text/plain":                          false,
		"application/x-www-form-urlencoded":   false,
		"application/json; charset=utf-16":    false,
		"application/json, application/json":  false,
		"application/problem+json":            false,
		"multipart/form-data; boundary=xxxxx": false,
	} {
		rec := newRig(t).do("POST", "/v1/revocations", testAdmin, mediaType, body)
		if got := rec.Code == http.StatusCreated; got != ok {
			t.Errorf("%q: %d", mediaType, rec.Code)
		}
		if !ok {
			wantProblem(t, rec, problem.MediaType, "")
		}
	}
	for _, target := range []string{"/v1/revocations", "/oauth2/revoke", "/oauth2/introspect"} {
		for _, coding := range []string{"gzip", "identity", ""} {
			req := httptest.NewRequest("POST", target, strings.NewReader("token=x"))
			req.Header.Set("Authorization", "Bearer "+testAdmin)
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header["Content-Encoding"] = []string{coding}
			wantStatus(t, newRig(t).send(req), http.StatusUnsupportedMediaType)
		}
		wantStatus(t, newRig(t).do("POST", target, testAdmin, "text/plain", "token=x"), http.StatusUnsupportedMediaType)
	}
}
