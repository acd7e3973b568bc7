package ssf

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestRequestsOfRFC8936: the requests of section 2.4, with our names for theirs.
func TestRequestsOfRFC8936(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tx := startTransmitter(t, newMemLog(), nil, nil, pollBy("b"))
		defer tx.Close()
		for _, sub := range []string{"one", "two", "three"} {
			ended(tx, sub, Origin{})
		}
		synctest.Wait()
		first := poll(t, tx, "b", `{"returnImmediately": true}`) // 2.4.1
		if len(first.Sets) != 3 || first.MoreAvailable {
			t.Fatalf("%+v", first)
		}
		ids := map[string]string{}
		for id, raw := range first.Sets {
			c := plainClaims(t, raw)
			if c.Jti != id || c.Aud != "aud-b" {
				t.Errorf("%s: %+v", id, c)
			}
			ids[c.SubID.Sub] = id
		}
		if again := poll(t, tx, "b", `{}`); !slices.Equal(slices.Sorted(maps.Keys(again.Sets)), slices.Sorted(maps.Keys(first.Sets))) {
			t.Error("what is not acknowledged must be offered again")
		}
		// 2.4.2, with names that are unknown
		if a := poll(t, tx, "b", fmt.Sprintf(`{"ack":[%q,%q,"1-x","","zz",%q],"maxEvents":0}`, ids["one"], rfcOne, ids["one"])); len(a.Sets) != 0 {
			t.Errorf("%+v", a)
		}
		if s := tx.Stats()[0]; s.Delivered != 1 || s.Queued != 2 {
			t.Errorf("%+v", s)
		}
		// 2.4.3
		if a := poll(t, tx, "b", fmt.Sprintf(`{"ack":[%q],"returnImmediately":false,"maxEvents":1}`, ids["two"])); len(a.Sets) != 1 || a.Sets[ids["three"]] == "" || a.MoreAvailable {
			t.Errorf("%+v", a)
		}
		// 2.4.4
		a := poll(t, tx, "b", fmt.Sprintf(`{"ack":[%q],"setErrs":{%q:{"err":"authentication_failed","description":"The SET could not be authenticated"}},"returnImmediately":true}`, rfcOther, ids["three"]))
		if s := tx.Stats()[0]; len(a.Sets) != 0 || s.Refused["authentication_failed"] != 1 || s.Delivered != 2 || s.Queued != 0 || s.Bytes != 0 {
			t.Errorf("%+v %+v", a, s)
		}
		if body, _ := tx.Poll(t.Context(), "b", []byte(`{"returnImmediately":true}`)); string(body) != `{"sets":{}}` {
			t.Errorf("%s", body)
		}
		for _, request := range []string{``, `[]`, `null`, `"x"`, `{"ack":"x"}`, `{"ack":["a"],"ack":["b"]}`, `{"maxEvents":-1}`, `{"maxEvents":"7"}`, `{"setErrs":["x"]}`, `{`} {
			if _, err := tx.Poll(t.Context(), "b", []byte(request)); !errors.Is(err, ErrPollForm) {
				t.Errorf("%s: %v", request, err)
			}
		}
		if _, err := tx.Poll(t.Context(), "c", []byte(`{}`)); !errors.Is(err, ErrNoOutlet) {
			t.Error(err)
		}
	})
}

// TestAPollWaitsForEvents, not for ever, and not many at once.
func TestAPollWaitsForEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tx := startTransmitter(t, newMemLog(), nil, nil, pollBy("b"))
		results := make(chan string, 4)
		ask := func(ctx context.Context) {
			body, err := tx.Poll(ctx, "b", []byte(`{}`))
			results <- fmt.Sprint(strings.Count(string(body), "secevent"), err)
		}
		began := time.Now()
		go ask(t.Context())
		synctest.Wait()
		time.Sleep(time.Second)
		ended(tx, "alice", Origin{})
		if got := <-results; got != "1 <nil>" || time.Since(began) != time.Second {
			t.Errorf("%s after %v", got, time.Since(began))
		}
		a := poll(t, tx, "b", `{"returnImmediately":true}`)
		for id := range a.Sets {
			poll(t, tx, "b", `{"maxEvents":0,"ack":["`+id+`"]}`)
		}
		began = time.Now()
		go ask(t.Context())
		gone, leave := context.WithCancel(t.Context())
		go ask(gone)
		synctest.Wait()
		if _, err := tx.Poll(t.Context(), "b", []byte(`{}`)); !errors.Is(err, ErrTooMany) {
			t.Errorf("a third poll: %v", err)
		}
		leave()
		if got := <-results; got != "0 <nil>" || time.Since(began) != 0 {
			t.Errorf("%s after %v", got, time.Since(began))
		}
		if got := <-results; got != "0 <nil>" || time.Since(began) != longPoll {
			t.Errorf("%s after %v", got, time.Since(began))
		}
		began = time.Now()
		go ask(t.Context())
		synctest.Wait()
		tx.Close()
		if got := <-results; got != "0 <nil>" || time.Since(began) != 0 {
			t.Errorf("%s %v after the end", got, time.Since(began))
		}
	})
}

func TestVerificationEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tx := startTransmitter(t, newMemLog(), nil, nil, pollBy("b"), pollBy("c"))
		defer tx.Close()
		if err := errors.Join(tx.Verify("b", "the state"), tx.Verify("b", "")); err != nil {
			t.Fatal(err)
		}
		if tx.Verify("d", "x") == nil || tx.Verify("b", strings.Repeat("x", 1025)) == nil {
			t.Error("accepted")
		}
		synctest.Wait()
		a := poll(t, tx, "b", `{}`)
		states := map[any]bool{}
		for _, raw := range a.Sets {
			c := plainClaims(t, raw)
			if c.SubID.Format != "opaque" || c.SubID.ID != "b" {
				t.Errorf("%+v", c)
			}
			states[c.Events[verification]["state"]] = true
		}
		if len(a.Sets) != 2 || !states["the state"] || !states[nil] {
			t.Errorf("%v", states)
		}
		if s := tx.Stats()[1]; s.Queued != 0 {
			t.Error("another receiver gets it, too")
		}
	})
}

// TestWho finds the receiver by its token.
func TestWho(t *testing.T) {
	one, two := pollBy("one"), pollBy("two")
	one.SHA256 = "2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90" // of alice
	tx := startTransmitter(t, newMemLog(), nil, nil, one, two, pushTo("three"))
	defer tx.Close()
	if name, ok := tx.Who("alice"); name != "one" || !ok {
		t.Error(name)
	}
	for _, raw := range []string{"", "bob", one.SHA256} {
		if name, ok := tx.Who(raw); ok {
			t.Errorf("%q is %s", raw, name)
		}
	}
}

// TestTheNameAndTheKeysAreFollowed, also for what waits.
func TestTheNameAndTheKeysAreFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tx := startTransmitter(t, newMemLog(), nil, nil, pollBy("b"))
		defer tx.Close()
		ended(tx, "alice", Origin{})
		synctest.Wait()
		tx.SetIdentity("https://renamed.example", plain{})
		for _, raw := range poll(t, tx, "b", `{}`).Sets {
			if c := plainClaims(t, raw); c.Iss != "https://renamed.example" || tx.Issuer() != c.Iss {
				t.Errorf("%+v by %s", c, tx.Issuer())
			}
		}
	})
}
