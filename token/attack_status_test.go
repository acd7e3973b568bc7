package token

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rescind"
	"rescind/token/internal/strict"
	"rescind/token/statuslist"
)

// refusedList asserts that a list is not taken, and so says nothing: neither
// that a token is good nor, by a lie, that it is revoked.
func refusedList(t *testing.T, serve func(s *listSite), change func(*IssuerConfig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := new(listSite)
		serve(s)
		v := listVerifier(t, s, io.Discard, change)
		defer v.Close()
		for range 2 {
			_, err := v.Verify(referring(listAt, 0))
			wantError(t, err, ErrNotReady)
			synctest.Wait()
		}
		if s.visits(listAt) == 0 {
			t.Error("the list has not been fetched")
		}
	})
}

// body serves a list that says that the token at index 0 is revoked.
func lie(change func(claims map[string]string)) func(*listSite) {
	return func(s *listSite) {
		s.serve(listAt, func() string { return listToken(map[int]statuslist.Status{0: statuslist.Invalid}, change) })
	}
}

// raw serves what make returns of a good list's payload.
func raw(make func(payload string) string) func(*listSite) {
	return func(s *listSite) {
		s.serve(listAt, func() string {
			parts := strings.Split(listToken(nil, nil), ".")
			return make(string(must(strict.Base64.DecodeString(parts[1]))))
		})
	}
}

func TestAttackStatusListForAnotherURI(t *testing.T) {
	for _, sub := range []string{`"` + listPlace + `2"`, `"` + listAt + `/"`, `"HTTPS://issuer.example/statuslists/1"`, `["` + listAt + `"]`, ""} {
		refusedList(t, lie(func(c map[string]string) { c["sub"] = sub }), nil)
	}
}

func TestAttackStatusListTimes(t *testing.T) {
	for name, change := range map[string]func(c map[string]string){
		"expired":       func(c map[string]string) { c["exp"] = c["iat"] + "000"; c["exp"] = "946684700" },
		"no iat":        func(c map[string]string) { c["iat"] = "" },
		"of the future": func(c map[string]string) { c["iat"] = "1000000000" },
		"not yet valid": func(c map[string]string) { c["nbf"] = "1000000000" },
		"ttl of 0":      func(c map[string]string) { c["ttl"] = "0" },
		"negative ttl":  func(c map[string]string) { c["ttl"] = "-1" },
		"text as ttl":   func(c map[string]string) { c["ttl"] = `"60"` },
	} {
		t.Run(name, func(t *testing.T) { refusedList(t, lie(change), nil) })
	}
}

func TestAttackStatusListForm(t *testing.T) {
	big := base64.RawURLEncoding.EncodeToString(make([]byte, maxStatusTokenBytes))
	for name, serve := range map[string]func(*listSite){
		"none": raw(func(p string) string {
			return b64([]byte(`{"alg":"none","typ":"statuslist+jwt"}`)) + "." + b64([]byte(p)) + "."
		}),
		"none, signed":    raw(func(p string) string { return signHS(`{"alg":"none","typ":"statuslist+jwt"}`, p) }),
		"no typ":          raw(func(p string) string { return signHS(`{"alg":"HS256"}`, p) }),
		"an access token": raw(func(p string) string { return signHS(`{"alg":"HS256","typ":"at+jwt"}`, p) }),
		"crit":            raw(func(p string) string { return signHS(`{"alg":"HS256","typ":"statuslist+jwt","crit":["x"],"x":1}`, p) }),
		"another's key": raw(func(p string) string {
			return sign(t, "ES256", testECKey(), `{"alg":"ES256","typ":"statuslist+jwt"}`, p)
		}),
		"changed": raw(func(p string) string {
			s := signHS(`{"alg":"HS256","typ":"statuslist+jwt"}`, p)
			return s[:len(s)-4] + "AAAA"
		}),
		"a page":    raw(func(string) string { return "<html>" }),
		"too large": raw(func(string) string { return big }),
		"members twice": raw(func(p string) string {
			return signHS(`{"alg":"HS256","typ":"statuslist+jwt"}`, strings.Replace(p, "{", `{"sub":"x",`, 1))
		}),
		"another issuer":      lie(func(c map[string]string) { c["iss"] = `"https://other.example"` }),
		"no list":             lie(func(c map[string]string) { c["status_list"] = "" }),
		"3 bits":              lie(func(c map[string]string) { c["status_list"] = `{"bits":3,"lst":"eNrbuRgAAhcBXQ"}` }),
		"257 bits":            lie(func(c map[string]string) { c["status_list"] = `{"bits":257,"lst":"eNrbuRgAAhcBXQ"}` }),
		"bits as text":        lie(func(c map[string]string) { c["status_list"] = `{"bits":"1","lst":"eNrbuRgAAhcBXQ"}` }),
		"not compressed":      lie(func(c map[string]string) { c["status_list"] = `{"bits":1,"lst":"uaM"}` }),
		"cut short":           lie(func(c map[string]string) { c["status_list"] = `{"bits":1,"lst":"eNrbuRgA"}` }),
		"data behind":         lie(func(c map[string]string) { c["status_list"] = `{"bits":1,"lst":"eNrbuRgAAhcBXQAA"}` }),
		"standard alphabet":   lie(func(c map[string]string) { c["status_list"] = `{"bits":1,"lst":"eNrbuRgAAhcBXQ=="}` }),
		"a list as status":    lie(func(c map[string]string) { c["status_list"] = `["eNrbuRgAAhcBXQ"]` }),
		"names in other case": lie(func(c map[string]string) { c["status_list"] = `{"Bits":1,"bits":1,"lst":"eNrbuRgAAhcBXQ"}` }),
	} {
		t.Run(name, func(t *testing.T) { refusedList(t, serve, nil) })
	}
}

// TestAttackStatusListZipBomb: 64 MiB of zeros in some 300 KB are unpacked no further
// than the bound.
func TestAttackStatusListZipBomb(t *testing.T) {
	var b bytes.Buffer
	w := must(zlib.NewWriterLevel(&b, zlib.BestSpeed))
	zeros := make([]byte, 1<<20)
	for range 64 {
		must(w.Write(zeros))
	}
	w.Close()
	bomb := fmt.Sprintf(`{"bits":8,"lst":%q}`, base64.RawURLEncoding.EncodeToString(b.Bytes()))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	synctest.Test(t, func(t *testing.T) {
		s := new(listSite)
		lie(func(c map[string]string) { c["status_list"] = bomb })(s)
		v := listVerifier(t, s, io.Discard, nil)
		defer v.Close()
		v.Verify(referring(listAt, 0))
		synctest.Wait()
		_, err := v.Verify(referring(listAt, 0))
		wantError(t, err, ErrNotReady)
		if n := s.visits(listAt); n != 1 {
			t.Errorf("it was fetched %d times", n)
		}
	})
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 100<<20 {
		t.Errorf("%d bytes were allocated for one list of at most %d", n, maxListBytes)
	}
}

func TestAttackStatusIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(listSite)
		s.serve(listAt, func() string { return listToken(nil, nil) })
		v := listVerifier(t, s, io.Discard, func(c *IssuerConfig) { c.StatusLists = []string{listAt}; c.AcceptUnknownStatus = true })
		defer v.Close()
		synctest.Wait()
		for idx, ok := range map[string]bool{
			"0": true, "15": true, "16": false, "9007199254740991": false, "-0": false, "-1": false, "1.0": false, "1e0": false, "18446744073709551616": false,
			`"1"`: false, "null": false, "[1]": false,
		} {
			_, err := v.Verify(withStatus(`{"status_list":{"idx":` + idx + `,"uri":"` + listAt + `"}}`))
			if ok != (err == nil) {
				t.Errorf("index %s: %v", idx, err)
			}
			if err != nil {
				wantError(t, err, ErrStatus)
			}
		}
		for _, status := range []string{
			`{"status_list":{"uri":"` + listAt + `"}}`, `{"status_list":{"idx":1}}`, `{"status_list":{}}`, `{"status_list":null}`, `{"status_list":"` + listAt + `"}`,
			`{"status_list":{"idx":1,"uri":7}}`, `{"status_list":{"idx":1,"IDX":2,"uri":"` + listAt + `"}}`, `{"Status_List":{"idx":1,"uri":"` + listAt + `"}}`,
		} {
			_, err := v.Verify(withStatus(status))
			if wantError(t, err, ErrStatus); Status(err) != 401 {
				t.Errorf("%s: status %d", status, Status(err))
			}
		}
		if _, err := v.Verify(withStatus(`{"status_list":{"idx":16,"idx":1,"uri":"` + listAt + `"}}`)); err == nil {
			t.Error("two indices were accepted")
		}
	})
}

// TestAttackStatusURI: what a token refers to is fetched only from where the
// issuer's lists are. A signed token may still say anything.
func TestAttackStatusURI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(listSite)
		v := listVerifier(t, s, io.Discard, func(c *IssuerConfig) { c.StatusLists = []string{listPlace, "https://fixed.example/list"} })
		defer v.Close()
		synctest.Wait()
		before := s.visits("")
		for _, uri := range []string{
			"http://issuer.example/statuslists/1", "https://issuer.example:444/statuslists/1", "https://issuer.example/statuslists", "https://issuer.example/statuslists/",
			"https://issuer.example.evil/statuslists/1", "https://issuer.example@evil.example/statuslists/1", "https://evil.example/https://issuer.example/statuslists/1",
			listPlace + "../admin", listPlace + "%2e%2e/admin", listPlace + "a/../../admin", listPlace + "a//b", listPlace + `..\admin`, listPlace + "./1",
			listPlace + "1?time=1", listPlace + "1#x", listPlace + "1?", "https://fixed.example/list/2", "https://fixed.example/list2",
			"http://169.254.169.254/latest/meta-data", "http://127.0.0.1:6379/", "file:///etc/passwd", "gopher://issuer.example/", "//issuer.example/statuslists/1", "statuslists/1",
			listPlace + "1\r\nHost: evil", listPlace + "é", listPlace + strings.Repeat("a", 900),
		} {
			_, err := v.Verify(withStatus(`{"status_list":{"idx":0,"uri":` + fmt.Sprintf("%q", uri) + `}}`))
			if strings.HasSuffix(uri, "aaa") { // an odd name, but one of the issuer's own
				wantError(t, err, ErrNotReady)
				continue
			}
			if err == nil || Status(err) != 401 {
				t.Errorf("%s: %v", uri, err)
			}
		}
		synctest.Wait()
		if n := s.visits("") - before; n != 1 {
			t.Errorf("%d requests: %q", n, s.asked)
		}
	})
}

func TestAttackStatusListRedirect(t *testing.T) {
	for _, to := range []string{"https://evil.example/statuslists/1", "http://169.254.169.254/", "https://issuer.example/admin", listPlace + "../admin", listAt} {
		refusedList(t, func(s *listSite) {
			s.redirect(listAt, to)
			s.serve("https://evil.example/statuslists/1", func() string { return listToken(nil, nil) })
			s.serve("https://issuer.example/admin", func() string { return listToken(nil, nil) })
		}, nil)
	}
	synctest.Test(t, func(t *testing.T) {
		s := new(listSite)
		s.redirect(listAt, listPlace+"here")
		s.serve(listPlace+"here", func() string { return listToken(nil, nil) })
		v := listVerifier(t, s, io.Discard, func(c *IssuerConfig) { c.StatusLists = []string{listPlace, listAt} })
		defer v.Close()
		synctest.Wait()
		_, err := v.Verify(referring(listAt, 0))
		wantError(t, err, nil)
	})
}

// TestAttackStatusListRollback: who can only replay can't take back what was
// revoked. Nodes that publish the same list may differ by their clocks.
func TestAttackStatusListRollback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(listSite)
		old := listToken(nil, nil)
		advance(time.Minute)
		fresh := listToken(map[int]statuslist.Status{0: statuslist.Invalid}, nil)
		s.serve(listAt, func() string { return fresh })
		v := listVerifier(t, s, io.Discard, func(c *IssuerConfig) { c.StatusLists = []string{listAt} })
		defer v.Close()
		synctest.Wait()
		s.serve(listAt, func() string { return old })
		advance(10 * time.Minute)
		_, err := v.Verify(referring(listAt, 0))
		wantError(t, err, ErrRevoked)
		if n := s.visits(listAt); n < 3 {
			t.Errorf("%d requests", n)
		}
		// Steps within the leeway don't add up.
		newest := rescind.MillisOf(time.Now()).Add(-10 * time.Minute) // when fresh was issued
		for back, taken := range []bool{true, true, false, false} {
			s.serve(listAt, func() string {
				return listToken(map[int]statuslist.Status{back: statuslist.Invalid}, func(c map[string]string) {
					c["iat"] = string(strict.NumericDate(newest.Add(time.Duration(-back) * 3 * time.Second)))
				})
			})
			advance(3 * time.Minute)
			synctest.Wait()
			_, err := v.Verify(referring(listAt, back))
			if (err != nil) != taken {
				t.Errorf("a list %d s older: %v", 3*back, err)
			}
		}
	})
}

// TestAttackTooManyStatusLists: an issuer can't fill the memory.
func TestAttackTooManyStatusLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := new(listSite)
		v := listVerifier(t, s, &log, nil)
		defer v.Close()
		for i := range 2 * maxStatusLists {
			uri := fmt.Sprint(listPlace, i)
			s.serve(uri, func() string { return listToken(nil, func(c map[string]string) { c["sub"] = `"` + uri + `"` }) })
			v.Verify(referring(uri, 0))
			synctest.Wait()
		}
		if n := s.visits(""); n != maxStatusLists {
			t.Errorf("%d lists were fetched", n)
		}
		_, err := v.Verify(referring(fmt.Sprint(listPlace, 2*maxStatusLists-1), 0))
		wantError(t, err, ErrNotReady)
		if n := strings.Count(log.String(), "too many"); n != 1 {
			t.Errorf("it was told %d times", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := new(listSite)
		v := listVerifier(t, s, io.Discard, nil)
		defer v.Close()
		large := fmt.Sprintf(`{"bits":8,"lst":%q}`, must(statuslist.New(8, maxListBytes)).Encode())
		fits := maxStatusBytes / maxListBytes
		for i := range fits + 1 {
			uri := fmt.Sprint(listPlace, i)
			s.serve(uri, func() string {
				return listToken(nil, func(c map[string]string) { c["sub"], c["status_list"] = `"`+uri+`"`, large })
			})
			v.Verify(referring(uri, 0))
			synctest.Wait()
			_, err := v.Verify(referring(uri, 0))
			if (err == nil) != (i < fits) {
				t.Errorf("list %d of %d bytes: %v", i, maxListBytes, err)
			}
		}
	})
}

// TestAttackStatusOfAnotherIssuer: the lists and the published entries of one
// issuer say nothing about tokens of another.
func TestAttackStatusOfAnotherIssuer(t *testing.T) {
	n := newNode(time.Now)
	mine, other := hsIssuer(), hsIssuer()
	mine.PublishedLists = []string{listAt}
	other.Issuer = "https://other.example"
	v := newVerifier(t, n, func(v *VerifierConfig) { v.Now = time.Now }, mine, other)
	n.revoke(t, rescind.Revocation{Key: StatusReference{listAt, 1}.Key()})
	raw := referring(listAt, 1)
	_, err := v.Verify(raw)
	wantError(t, err, ErrRevoked)
	payload := string(must(strict.Base64.DecodeString(strings.Split(raw, ".")[1])))
	foreign, err := v.Verify(signHS(hsHeader, strings.Replace(payload, testIssuer, other.Issuer, 1)))
	wantError(t, err, nil)
	if _, ok := foreign.Published(foreign.This()); ok {
		t.Error("a token can revoke the entry of another issuer's")
	}
}

func FuzzStatusListToken(f *testing.F) {
	c := hsIssuer()
	c.StatusLists = []string{listPlace}
	v := must(NewVerifier(f.Context(), VerifierConfig{Issuers: []IssuerConfig{c}, Checker: newNode(atEpoch), Now: atEpoch}))
	f.Cleanup(v.Close)
	lists := v.trust.Load().issuers[testIssuer].lists
	now := rescind.MillisOf(epoch)
	f.Add(`{"sub":"` + listAt + `","iat":1700000000,"exp":1900000000,"ttl":60,"status_list":{"bits":1,"lst":"eNrbuRgAAhcBXQ","aggregation_uri":"https://a.example"}}`)
	f.Add(`{"sub":"` + listAt + `","iat":1700000000.5,"status_list":{"bits":2,"lst":"eNo76fITAAPfAgc"}}`)
	f.Add(`{"ttl":-1}`)
	f.Fuzz(func(t *testing.T, payload string) {
		held, err := lists.read(signHS(`{"alg":"HS256","typ":"statuslist+jwt"}`, payload), listAt, now)
		if err != nil {
			return
		}
		if held.list.Size() > maxListBytes || held.due < statusTTLMin || held.due > statusTTLMax || held.until > now.Add(statusMaxAge) || held.issued == 0 || held.issued > now.Add(DefaultLeeway) {
			t.Fatalf("%+v of %d bytes", held, held.list.Size())
		}
		if held.check(uint64(held.list.Len())) == nil {
			t.Fatal("an index out of range is accepted")
		}
	})
}

// TestAttackStatusListsAtOnce: many lists of a slow server are not in memory together.
func TestAttackStatusListsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(listSite)
		var under, most, done atomic.Int64
		for i := range maxStatusLists {
			s.serve(fmt.Sprint(listPlace, i), func() string {
				most.Store(max(most.Load(), under.Add(1)))
				time.Sleep(5 * time.Second)
				under.Add(-1)
				done.Add(1)
				return ""
			})
		}
		v := listVerifier(t, s, io.Discard, nil)
		defer v.Close()
		for i := range maxStatusLists {
			_, err := v.Verify(referring(fmt.Sprint(listPlace, i), 1))
			wantError(t, err, ErrNotReady)
			synctest.Wait()
		}
		advance(10 * time.Minute)
		if most.Load() > maxStatusFetches || done.Load() < maxStatusLists {
			t.Errorf("%d at once, %d in all", most.Load(), done.Load())
		}
	})
}
