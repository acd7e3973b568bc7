package token

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"rescind"
	"rescind/token/internal/fetch"
	"rescind/token/internal/strict"
	"rescind/token/statuslist"
)

// TypeStatusList is the typ of Status List Tokens.
const TypeStatusList = "statuslist+jwt"

const (
	// maxStatusTokenBytes bounds the token that holds a list, and maxListBytes
	// the list: statuses of 1 bit for 128 million tokens.
	maxStatusTokenBytes = 8 << 20
	maxListBytes        = 16 << 20

	// A list is fetched again after its ttl, or statusTTL if it names none, but
	// within these bounds.
	statusTTL    = 5 * time.Minute
	statusTTLMin = 10 * time.Second
	statusTTLMax = time.Hour
)

var statusListDocument = fetch.Document{Name: "the status list", Accept: "application/" + TypeStatusList, MaxBytes: maxStatusTokenBytes}

// Start runs the loop, once, until stop is called.
func (s *statusLists) Start(running *sync.WaitGroup) {
	if s.started {
		return
	}
	s.started = true
	running.Go(func() {
		s.run(s.ctx)
		s.client.CloseIdleConnections()
	})
}

// Halt ends the loop.
func (s *statusLists) Halt() { s.stop() }

// run starts following the lists that are wanted, until ctx ends.
func (s *statusLists) run(ctx context.Context) {
	var following sync.WaitGroup
	defer following.Wait()
	follow := func(uri string, fixed bool) {
		if l := s.add(uri, fixed); l != nil {
			following.Go(func() { s.follow(ctx, l) })
		}
	}
	for _, uri := range s.allowed {
		if uri[len(uri)-1] != '/' {
			follow(uri, true)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case uri := <-s.wanted:
			follow(uri, false)
		}
	}
}

// add returns a new list, or nil if it is there already or there are too many.
func (s *statusLists) add(uri string, fixed bool) *statusList {
	if _, have := s.lists.Load(uri); have {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count >= maxStatusLists {
		if !s.full {
			s.log.Error("tokens of the issuer refer to too many status lists; what those beyond say is unknown", "limit", maxStatusLists)
		}
		s.full = true
		return nil
	}
	s.count++
	l := &statusList{uri: uri, fixed: fixed}
	l.asked.Store(s.now().UnixMilli())
	s.lists.Store(uri, l)
	return l
}

// forget drops a list, so that another may take its place.
func (s *statusLists) forget(l *statusList) {
	s.lists.Delete(l.uri)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count--
	s.full = false
	if held := l.held.Load(); held != nil {
		s.bytes -= held.list.Size()
	}
}

// follow fetches a list at once and then as often as it asks for, until nobody
// refers to it or ctx ends.
func (s *statusLists) follow(ctx context.Context, l *statusList) {
	failures := 0
	for ctx.Err() == nil {
		if idle := s.now().Sub(time.UnixMilli(l.asked.Load())); idle > statusIdle && !l.fixed {
			s.forget(l)
			return
		}
		err := s.fetch(ctx, l)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failures++
			s.failed.Add(1)
			s.log.Warn("can't fetch a status list; the last good one stays in use until it expires",
				"uri", fetch.Redact(l.uri), "err", err, "failures", failures, "have-list", l.held.Load() != nil)
			fetch.Pause(ctx, fetch.Backoff(failures), nil)
		default:
			if failures > 0 {
				s.log.Info("the status list can be fetched again", "uri", fetch.Redact(l.uri), "failures", failures)
			}
			failures = 0
			fetch.Pause(ctx, l.held.Load().due, nil)
		}
	}
}

// fetch replaces the list if its place serves a good one.
func (s *statusLists) fetch(ctx context.Context, l *statusList) error {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	began := rescind.MillisOf(s.now())
	body, err := fetch.Download(ctx, s.client, l.uri, statusListDocument)
	if err != nil {
		return err
	}
	next, err := s.read(string(body), l.uri, began)
	if err != nil {
		return err
	}
	old := l.held.Load()
	if old != nil && next.issued.Add(s.leeway) < old.issued {
		return errors.New("the status list is older than the one at hand")
	}
	if old != nil { // several servers may publish it, whose clocks differ
		next.issued = max(next.issued, old.issued)
	}
	if err := s.makeRoom(old, next); err != nil {
		return err
	}
	l.asOf.Store(int64(began))
	l.held.Store(next)
	return nil
}

// makeRoom accounts for next in place of old.
func (s *statusLists) makeRoom(old, next *goodList) error {
	more := next.list.Size()
	if old != nil {
		more -= old.list.Size()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes+more > maxStatusBytes {
		return fmt.Errorf("the status lists of the issuer are larger than %d bytes together", maxStatusBytes)
	}
	s.bytes += more
	return nil
}

// read verifies a Status List Token that was fetched at now for uri (sections
// 5.1 and 8.3). Its errors don't repeat what it says.
func (s *statusLists) read(raw, uri string, now rescind.Millis) (*goodList, error) {
	signer := s.signer.Load()
	payload, err := signer.openStatement(raw, TypeStatusList, maxStatusTokenBytes)
	if err != nil {
		return nil, err
	}
	var c listClaims
	if err := strict.ReadObject(payload, DefaultMaxDepth, listClaimNames, c.read); err != nil {
		return nil, errors.New("the claims of the status list are not acceptable JSON or one has a wrong type or range")
	}
	switch {
	case c.sub != uri:
		return nil, errors.New("the status list is that of another URI")
	case c.iss != "" && s.keysURL == "" && c.iss != signer.Issuer:
		return nil, errors.New("the status list is that of another issuer")
	case c.iat == 0 || c.bits == 0 || c.lst == "":
		return nil, errors.New("the status list lacks iat, bits or lst")
	case c.iat > now.Add(s.leeway) || c.nbf > now.Add(s.leeway):
		return nil, errors.New("the status list was issued in the future")
	case c.exp != 0 && c.exp.Add(s.leeway) <= now:
		return nil, errors.New("the status list has expired")
	}
	list, err := statuslist.Parse(c.bits, c.lst, maxListBytes)
	if err != nil {
		return nil, err
	}
	return c.schedule(list, now), nil
}

// listClaims are the claims of a Status List Token that are judged.
type listClaims struct {
	iss, sub      string
	iat, exp, nbf rescind.Millis // 0: none
	ttl           time.Duration  // 0: none
	bits          int
	lst           string
}

var (
	listClaimNames = []string{"iss", "sub", "iat", "exp", "nbf", "ttl", "status_list"}
	listNames      = []string{"bits", "lst"}
)

func (c *listClaims) read(name string, dec *jsontext.Decoder) (err error) {
	switch name {
	case "iss":
		c.iss, err = strict.ReadString(dec, rescind.MaxIDLen)
	case "sub":
		c.sub, err = strict.ReadString(dec, rescind.MaxIDLen)
	case "iat":
		c.iat, err = strict.ReadNumericDate(dec)
	case "exp":
		c.exp, err = readExpiry(dec)
	case "nbf":
		c.nbf, err = strict.ReadNumericDate(dec)
	case "ttl":
		var m rescind.Millis
		m, err = readExpiry(dec) // a number of seconds above 0, too
		c.ttl = time.Duration(min(m, rescind.Millis(statusTTLMax/time.Millisecond))) * time.Millisecond
	case "status_list":
		var raw jsontext.Value
		if raw, err = dec.ReadValue(); err == nil {
			err = strict.ReadObject(raw, DefaultMaxDepth, listNames, c.readList)
		}
	default:
		err = strict.Skip(dec)
	}
	return err
}

func (c *listClaims) readList(name string, dec *jsontext.Decoder) (err error) {
	switch name {
	case "bits":
		var n uint64
		n, err = readIndex(dec)
		c.bits = int(min(n, 9))
	case "lst":
		c.lst, err = strict.ReadString(dec, maxStatusTokenBytes)
	default:
		err = strict.Skip(dec)
	}
	return err
}

// schedule says until when the list may be relied upon and when it is fetched
// again: after its ttl, some time before it expires, or soon if it is about to.
func (c *listClaims) schedule(list *statuslist.List, now rescind.Millis) *goodList {
	h := &goodList{list: list, issued: c.iat, until: now.Add(statusMaxAge), due: statusTTL}
	if c.ttl != 0 {
		h.due = c.ttl
	}
	if c.exp != 0 {
		h.until = min(h.until, c.exp)
		h.due = min(h.due, time.Duration(c.exp-now)*time.Millisecond*9/10)
	}
	h.due = max(h.due, statusTTLMin)
	return h
}
