package ssf

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"

	"rescind"
)

func TestWhatIsPushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pusher{t: t, answer: func(int, setClaims, *http.Request) *http.Response { return accepted() }}
		tx := startTransmitter(t, newMemLog(), p, nil, pushTo("a"))
		defer tx.Close()
		now := time.Now()
		receipt := rescind.Receipt{IssuedBefore: rescind.MillisOf(now.Add(-90 * time.Second)), ExpiresAt: rescind.MillisOf(now.Add(time.Hour))}
		for _, k := range []rescind.Key{
			{Scope: rescind.ScopeSub, Issuer: idp, ID: "alice"}, {Scope: rescind.ScopeSID, Issuer: idp, ID: "s-1"},
			{Scope: rescind.ScopeJTI, Issuer: idp, ID: "t"}, {Scope: rescind.ScopeClientID, Issuer: idp, ID: "c"},
			{Scope: rescind.ScopeKID, Issuer: idp, ID: "k"}, {Scope: rescind.ScopeIss, Issuer: idp},
		} {
			tx.Announce(rescind.Revocation{Key: k}, receipt, Origin{})
			synctest.Wait()
		}
		got, _ := p.all()
		if len(got) != 2 {
			t.Fatalf("%d events", len(got))
		}
		for i, c := range got {
			if c.Iss != us || c.Aud != "aud-a" || c.Iat != now.Unix() || c.Jti == "" || c.Txn == "" || len(c.Events) != 1 {
				t.Errorf("event %d: %+v", i, c)
			}
		}
		sub, _ := json.Marshal(got[0].SubID)
		if string(sub) != `{"format":"iss_sub","iss":"https://idp.example","sub":"alice"}` {
			t.Errorf("%s", sub)
		}
		sub, _ = json.Marshal(got[1].SubID)
		if string(sub) != `{"format":"complex","session":{"format":"opaque","id":"s-1"},"tenant":{"format":"uri","uri":"https://idp.example"}}` {
			t.Errorf("%s", sub)
		}
		if at := got[0].Events[sessionRevoked]["event_timestamp"]; at != float64(now.Add(-90*time.Second).Unix()) {
			t.Errorf("the subject's sessions ended at %v", at)
		}
		if at := got[1].Events[sessionRevoked]["event_timestamp"]; at != float64(now.Unix()) {
			t.Errorf("the session ended at %v", at)
		}
		if s := tx.Stats()[0]; s.Delivered != 2 || s.Queued != 0 || s.Bytes != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestAReceiverThatFailsIsTriedAgain: what each answer does to an event.
func TestAReceiverThatFailsIsTriedAgain(t *testing.T) {
	refusal := func(body string) *http.Response { return reply(400, body) }
	for name, c := range map[string]struct {
		fault func() *http.Response
		again bool
		code  string
	}{
		"429":                    {func() *http.Response { return reply(429, "", "Retry-After", "9") }, true, ""},
		"500":                    {func() *http.Response { return reply(500, strings.Repeat("x", 1<<20)) }, true, ""},
		"200":                    {func() *http.Response { return reply(200, "") }, true, ""},
		"a redirect":             {func() *http.Response { return reply(308, "", "Location", "https://elsewhere.example/") }, true, ""},
		"no answer":              {func() *http.Response { return nil }, true, ""},
		"400 that says nothing":  {func() *http.Response { return refusal("") }, true, ""},
		"400 without a code":     {func() *http.Response { return refusal(`{"description":"x"}`) }, true, ""},
		"400 of a huge body":     {func() *http.Response { return refusal(`{"err":"invalid_key"}` + strings.Repeat(" ", maxRefusal)) }, true, ""},
		"400 with a code":        {func() *http.Response { return refusal(`{"err":"invalid_key","description":"who?"}`) }, false, "invalid_key"},
		"400 with its own words": {func() *http.Response { return refusal(`{"err":"drop table"}`) }, false, "other"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &pusher{t: t, t0: time.Now(), answer: func(n int, _ setClaims, r *http.Request) *http.Response {
					if r.URL.Host != "a.example" {
						t.Errorf("sent to %s", r.URL)
					}
					if n == 1 {
						return c.fault()
					}
					return accepted()
				}}
				tx := startTransmitter(t, newMemLog(), p, nil, pushTo("a"))
				defer tx.Close()
				ended(tx, "alice", Origin{})
				time.Sleep(20 * time.Second)
				synctest.Wait()
				got, at := p.all()
				s := tx.Stats()[0]
				if !c.again {
					if len(got) != 1 || s.Refused[c.code] != 1 || s.Queued != 0 {
						t.Errorf("%d attempts, %+v", len(got), s)
					}
					return
				}
				if len(got) != 2 || got[0].Jti != got[1].Jti || s.Delivered != 1 || s.Failed != 1 || s.Queued != 0 {
					t.Fatalf("%d attempts, %+v", len(got), s)
				}
				if pause := at[1] - at[0]; pause < retryMin/2 || name == "429" && pause < 9*time.Second {
					t.Errorf("again after %v", pause)
				}
			})
		})
	}
}

// TestOneBadEventHoldsUpNoOther, and a receiver that is down is asked with one
// event, ever less often.
func TestOneBadEventHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pusher{t: t, answer: func(_ int, c setClaims, _ *http.Request) *http.Response {
			if c.SubID.Sub == "poison" {
				return reply(500, "")
			}
			return accepted()
		}}
		tx := startTransmitter(t, newMemLog(), p, nil, pushTo("a"))
		defer tx.Close()
		ended(tx, "poison", Origin{})
		for i := range 100 {
			ended(tx, fmt.Sprint(i), Origin{})
		}
		time.Sleep(time.Minute) // it may have been tried alone, and the next waits a little then
		synctest.Wait()
		if s := tx.Stats()[0]; s.Delivered != 100 || s.Queued != 1 {
			t.Errorf("%+v", s)
		}
		before, _ := p.all()
		time.Sleep(23 * time.Hour)
		synctest.Wait()
		if now, _ := p.all(); len(now)-len(before) > 24*24 || len(now)-len(before) < 23*12 {
			t.Errorf("%d attempts in a day", len(now)-len(before))
		}
		time.Sleep(2 * time.Hour) // until nothing is left that it could end
		synctest.Wait()
		if s := tx.Stats()[0]; s.Expired != 1 || s.Queued != 0 || s.Bytes != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestAReceiverThatIsDown is tried with one event at a time, and gets all of them
// once it is back.
func TestAReceiverThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		down.Store(true)
		p := &pusher{t: t, answer: func(int, setClaims, *http.Request) *http.Response {
			if down.Load() {
				return reply(503, "")
			}
			return accepted()
		}}
		tx := startTransmitter(t, newMemLog(), p, nil, pushTo("a"))
		defer tx.Close()
		for i := range 100 {
			ended(tx, fmt.Sprint(i), Origin{})
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got, _ := p.all(); len(got) > pushedAtOnce+10+2*60/5 {
			t.Errorf("%d attempts in an hour", len(got))
		}
		down.Store(false)
		time.Sleep(retryMax)
		synctest.Wait()
		if s := tx.Stats()[0]; s.Delivered != 100 || s.Queued != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestPushErrorsTellNoSecret.
func TestPushErrorsTellNoSecret(t *testing.T) {
	var log strings.Builder
	synctest.Test(t, func(t *testing.T) {
		p := &pusher{t: t, answer: func(int, setClaims, *http.Request) *http.Response { return nil }}
		r := pushTo("a")
		r.Token = func() (string, error) { return "push-secret", nil }
		tx := startTransmitter(t, newMemLog(), p, func(c *TransmitterConfig) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) }, r)
		ended(tx, "alice", Origin{})
		time.Sleep(time.Hour)
		tx.Close()
	})
	if got := log.String(); !strings.Contains(got, "deadline") || strings.Contains(got, "in-the-url") || strings.Contains(got, "push-secret") || strings.Contains(got, "alice") {
		t.Error(got)
	}
}
