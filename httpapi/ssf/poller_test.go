package ssf

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
)

// The events of RFC 8936, figure 6, and what their recipient answers in figure 5.
const (
	rfcOne   = "4d3559ec67504aaba65d40b0363faad8"
	rfcOther = "3d0c3cf797584bd193bd0fb1bd4e7d30"
	rfcSets  = `{"sets":{"` + rfcOne + `":"raw ` + rfcOne + `","` + rfcOther + `":"raw ` + rfcOther + `"}}`
)

// TestPollsOfRFC8936 gets the answer of section 2.5 and compares what is sent with
// the requests of sections 2.4.1 to 2.4.4.
func TestPollsOfRFC8936(t *testing.T) {
	polling(t, func(n int, r *http.Request, poll pollRequest) *http.Response {
		if told := len(poll.SetErrs) > 0; told != (r.Header.Get("Content-Language") != "") {
			t.Errorf("poll %d: errors %v, in the language %q (section 2.6)", n, told, r.Header.Get("Content-Language"))
		}
		switch n {
		case 1, 2:
			return reply(200, rfcSets)
		}
		return nil
	}, func(p *Poller, f *transmitter, k *taker) {
		synctest.Wait()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		polls, _ := f.seen()
		for i, want := range []string{
			`{"maxEvents":100}`, // 2.4.1, with a bound
			`{"maxEvents":100,"ack":["` + rfcOther + `"],"setErrs":{"` + rfcOne + `":{"err":"authentication_failed","description":"The SET could not be authenticated"}}}`, // 2.4.4
			`{"maxEvents":100,"ack":["` + rfcOther + `"],"setErrs":{"` + rfcOne + `":{"err":"authentication_failed","description":"The SET could not be authenticated"}}}`, // told again
		} {
			got, err := json.Marshal(polls[i])
			if err != nil || string(got) != want {
				t.Errorf("poll %d: %s, %v\nwant %s", i+1, got, err, want)
			}
		}
		if got := k.all(); len(got) != 2 {
			t.Errorf("taken %q: an event that is acknowledged was taken again", got)
		}
		p.Close()
		polls, _ = f.seen() // 2.4.2 says goodbye
		if got, _ := json.Marshal(polls[len(polls)-1]); !strings.HasPrefix(string(got), `{"maxEvents":0,"returnImmediately":true,"ack":["`+rfcOther) {
			t.Errorf("goodbye %s", got)
		}
	})
}

// TestEventsAreAcknowledgedOnceTaken: neither what can't be taken here nor what is
// offered too much of is acknowledged, and it is taken when it comes again.
func TestEventsAreAcknowledgedOnceTaken(t *testing.T) {
	polling(t, func(n int, r *http.Request, poll pollRequest) *http.Response {
		switch n {
		case 1:
			return sets("a", "bad", "full", "too many")
		case 2:
			return sets("full", "too many")
		}
		return nil
	}, func(p *Poller, f *transmitter, k *taker) {
		synctest.Wait()
		if polls, _ := f.seen(); len(polls) != 1 {
			t.Errorf("%d polls: no pause after an event that could not be taken", len(polls))
		}
		k.fail("full", nil)
		time.Sleep(time.Second)
		synctest.Wait()
		polls, at := f.seen()
		if len(polls) != 3 || at[1] < retryMin/2 || at[2] != at[1] {
			t.Fatalf("polls at %v", at)
		}
		wantAcks(t, polls[1], "a")
		if len(polls[1].SetErrs) != 1 || polls[1].SetErrs["bad"].Code != "invalid_key" {
			t.Errorf("%+v", polls[1].SetErrs)
		}
		wantAcks(t, polls[2], "full", "too many")
		if got := k.all(); !slices.Equal(got, []string{"a", "bad", "full", "full", "too many"}) {
			t.Errorf("taken %q", got)
		}
		s := p.Stats()
		if s.Taken != 3 || s.Kept != 1 || s.Refused["invalid_key"] != 1 || s.Polls != 2 || s.Failed != 1 || s.Last.IsZero() {
			t.Errorf("%+v", s)
		}
	}, func(s *Stream) { s.MaxEvents = 3 })
}

// TestAcknowledgementsSurviveAFailedPoll: the transmitter may not have got them.
func TestAcknowledgementsSurviveAFailedPoll(t *testing.T) {
	for name, fault := range map[string]*http.Response{
		"429 for a while":    reply(429, "{}", "Retry-After", "7"),
		"500":                reply(500, "{}"),
		"401":                reply(401, "{}"),
		"a redirect":         reply(307, "", "Location", "https://elsewhere.example/"),
		"202":                reply(202, "{}"),
		"a page":             reply(200, "<html>", "Content-Type", "text/html"),
		"no JSON":            reply(200, `{"sets":{"x":`),
		"sets is a list":     reply(200, `{"sets":["x"]}`),
		"the same jti twice": reply(200, `{"sets":{"x":"raw x","x":"raw x"}}`),
		"too long":           reply(200, `{"sets":{"x":"raw x"}}`+strings.Repeat(" ", answerRoom+100*maxSET)),
	} {
		t.Run(name, func(t *testing.T) {
			polling(t, func(n int, r *http.Request, poll pollRequest) *http.Response {
				switch {
				case r.URL.Host != "tx.example":
					t.Errorf("asked %s", r.URL)
				case n == 1:
					return sets("a")
				case n == 2:
					return fault
				}
				return nil
			}, func(p *Poller, f *transmitter, k *taker) {
				time.Sleep(8 * time.Second)
				synctest.Wait()
				polls, at := f.seen()
				if len(polls) != 3 {
					t.Fatalf("%d polls", len(polls))
				}
				wantAcks(t, polls[1], "a")
				wantAcks(t, polls[2], "a")
				if pause := at[2] - at[1]; pause < retryMin/2 || fault.StatusCode == 429 && pause < 7*time.Second {
					t.Errorf("again after %v", pause)
				}
				if got := k.all(); len(got) != 1 {
					t.Errorf("taken %q", got)
				}
				if s := p.Stats(); s.Failed != 1 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// TestOneKeptEventHoldsUpNoOther: while others come and are taken, one that can't be
// makes the polls no rarer.
func TestOneKeptEventHoldsUpNoOther(t *testing.T) {
	polling(t, func(n int, r *http.Request, poll pollRequest) *http.Response {
		return sets("full", fmt.Sprint("event ", n))
	}, func(p *Poller, f *transmitter, k *taker) {
		time.Sleep(10 * time.Minute)
		_, at := f.seen()
		for i := 1; i < len(at); i++ {
			if gap := at[i] - at[i-1]; gap < retryMin/2 || gap > retryMin {
				t.Fatalf("poll %d after %v", i, gap)
			}
		}
	})
}

// TestFailuresBackOff: a transmitter that is down is asked ever less often.
func TestFailuresBackOff(t *testing.T) {
	polling(t, func(n int, r *http.Request, poll pollRequest) *http.Response { return reply(503, "{}") },
		func(p *Poller, f *transmitter, k *taker) {
			time.Sleep(24 * time.Hour)
			polls, at := f.seen()
			if n := len(polls); n < 24*12 || n > 24*24+20 {
				t.Errorf("%d polls in a day", n)
			}
			for i := 1; i < len(at); i++ {
				if gap := at[i] - at[i-1]; gap < retryMin/2 || gap > retryMax {
					t.Errorf("gap %v", gap)
				}
			}
		})
}

// TestAHastyTransmitter answers at once, whatever it is asked: with nothing, with
// what was acknowledged long ago, with what is refused each time.
func TestAHastyTransmitter(t *testing.T) {
	for name, answer := range map[string]func() *http.Response{
		"nothing":   func() *http.Response { return reply(200, `{"sets":{}}`) },
		"no sets":   func() *http.Response { return reply(200, `{"moreAvailable":true}`) },
		"the same":  func() *http.Response { return sets("a") },
		"a bad one": func() *http.Response { return sets("bad") },
		"names and values": func() *http.Response {
			return reply(200, `{"sets":{"":"raw ","n":7,"`+strings.Repeat("l", maxName+1)+`":"x"}}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			polling(t, func(int, *http.Request, pollRequest) *http.Response { return answer() },
				func(p *Poller, f *transmitter, k *taker) {
					time.Sleep(time.Minute)
					if polls, _ := f.seen(); len(polls) > 62 || len(polls) < 55 {
						t.Errorf("%d polls in a minute", len(polls))
					}
					if got := k.all(); len(got) > 1 {
						t.Errorf("taken %q", got)
					}
				})
		})
	}
}

// TestAPollIsKeptOpen until this side hangs up, and then begun anew at once.
func TestAPollIsKeptOpen(t *testing.T) {
	polling(t, func(int, *http.Request, pollRequest) *http.Response { return nil },
		func(p *Poller, f *transmitter, k *taker) {
			time.Sleep(10 * time.Minute)
			_, at := f.seen()
			if len(at) != 10 {
				t.Errorf("%d polls", len(at))
			}
		})
}

// TestTheTokenIsReadForEachPoll, so that it can be replaced.
func TestTheTokenIsReadForEachPoll(t *testing.T) {
	var mu sync.Mutex // guards the rest
	secret, failure := "first", error(nil)
	var got []string
	set := func(to string, err error) {
		mu.Lock()
		defer mu.Unlock()
		secret, failure = to, err
	}
	polling(t, func(n int, r *http.Request, poll pollRequest) *http.Response {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Header.Get("Authorization"))
		return reply(200, `{"sets":{}}`)
	}, func(p *Poller, f *transmitter, k *taker) {
		synctest.Wait()
		set("second", nil)
		time.Sleep(pollGap)
		synctest.Wait()
		set("", errors.New("no such file"))
		time.Sleep(pollGap)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(got, []string{"Bearer first", "Bearer second"}) || p.Stats().Failed != 1 {
			t.Errorf("%q, %+v", got, p.Stats())
		}
	}, func(s *Stream) {
		s.Token = func() (string, error) {
			mu.Lock()
			defer mu.Unlock()
			return secret, failure
		}
	})
}

func TestStreamsAreValidated(t *testing.T) {
	good := Stream{Issuer: "i", URL: "https://t.example", Take: (&taker{}).take}
	for name, change := range map[string]func(*Stream){
		"no issuer":    func(s *Stream) { s.Issuer = "" },
		"no taker":     func(s *Stream) { s.Take = nil },
		"plain http":   func(s *Stream) { s.URL = "http://t.example" },
		"a password":   func(s *Stream) { s.URL = "https://a:b@t.example" },
		"no URL":       func(s *Stream) { s.URL = "/x" },
		"long wait":    func(s *Stream) { s.Wait = maxPollWait + 1 },
		"many events":  func(s *Stream) { s.MaxEvents = MaxEvents + 1 },
		"minus events": func(s *Stream) { s.MaxEvents = -1 },
	} {
		s := good
		change(&s)
		if p, err := StartPoller(s); err == nil {
			p.Close()
			t.Errorf("%s is accepted", name)
		}
	}
}

// TestErrorsTellNoSecret: the URL may have one in its query.
func TestErrorsTellNoSecret(t *testing.T) {
	var log strings.Builder
	polling(t, func(int, *http.Request, pollRequest) *http.Response { return nil }, func(p *Poller, f *transmitter, k *taker) {
		time.Sleep(5 * time.Minute)
		p.Close()
		if got := log.String(); strings.Contains(got, "secret") || !strings.Contains(got, "deadline") {
			t.Error(got)
		}
	}, func(s *Stream) { s.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
}

// TestStatsAreACopy.
func TestStatsAreACopy(t *testing.T) {
	p := &Poller{stats: PollStats{Refused: map[string]uint64{"a": 1}}}
	p.Stats().Refused["a"] = 7
	if !maps.Equal(p.Stats().Refused, map[string]uint64{"a": 1}) {
		t.Error(p.Stats())
	}
}

// TestAnEventThatMeetsABug is left with the transmitter, and ends neither the process
// nor the other events' being taken.
func TestAnEventThatMeetsABug(t *testing.T) {
	answer := func(n int, _ *http.Request, _ pollRequest) *http.Response {
		if n > 1 {
			return nil // kept open
		}
		return sets("bug", "good")
	}
	polling(t, answer, func(p *Poller, f *transmitter, _ *taker) {
		synctest.Wait()
		time.Sleep(time.Minute) // of virtual time
		synctest.Wait()
		if s := p.Stats(); s.Taken != 1 || s.Kept != 1 {
			t.Errorf("%+v", s)
		}
		polls, _ := f.seen()
		if len(polls) < 2 || !slices.Equal(polls[1].Ack, []string{"good"}) || len(polls[1].SetErrs) != 0 {
			t.Errorf("%+v", polls)
		}
	}, func(s *Stream) {
		s.Take = func(_ context.Context, e Event) error {
			if e.ID == "bug" {
				panic("a bug")
			}
			return nil
		}
	})
}
