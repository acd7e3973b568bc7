package dashboard

import (
	"crypto/rand"
	"crypto/sha256"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

const (
	// maxSessions bounds how many are signed in; beyond it the one that has been
	// idle for longest is signed out.
	maxSessions = 64

	idleTimeout = time.Hour // without a request; a stream counts as none
	hardTimeout = 12 * time.Hour
)

// sessions are who has signed in. The zero value holds none.
type sessions struct {
	mu   sync.Mutex // guards byID and what it leads to
	byID map[sessionKey]*session
}

// sessionKey is a digest of the cookie's value, so that the memory of this
// process holds nothing that opens a session, and a look-up tells no prefix.
type sessionKey [sha256.Size]byte

type session struct {
	operator    Operator
	begun, seen time.Time
}

func (s *session) ended(now time.Time) bool {
	return now.Sub(s.seen) > idleTimeout || now.Sub(s.begun) > hardTimeout || !s.operator.Still()
}

// open returns the value for the cookie of a new session: 128 random bits.
func (s *sessions) open(o Operator, now time.Time) string {
	id := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID == nil {
		s.byID = map[sessionKey]*session{}
	}
	for len(s.byID) >= maxSessions {
		var idlest sessionKey
		for key, other := range s.byID {
			if first := s.byID[idlest]; first == nil || other.seen.Before(first.seen) {
				idlest = key
			}
		}
		delete(s.byID, idlest)
	}
	s.byID[sha256.Sum256([]byte(id))] = &session{o, now, now}
	return id
}

// find returns whose session id is. It counts as a request of theirs if active.
func (s *sessions) find(id string, now time.Time, active bool) (Operator, bool) {
	key := sessionKey(sha256.Sum256([]byte(id)))
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.byID[key]
	if found == nil {
		return Operator{}, false
	}
	if found.ended(now) {
		delete(s.byID, key)
		return Operator{}, false
	}
	if active {
		found.seen = now
	}
	return found.operator, true
}

func (s *sessions) close(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, sha256.Sum256([]byte(id)))
}

// cookie returns the cookie for a request, without a value. A browser takes one
// that begins with __Host- only over TLS and for this very host, so that no
// neighbour can plant one. It tells hosts apart, but not their ports, so the
// name holds that: several nodes may share this machine.
func cookie(r *http.Request) *http.Cookie {
	c := &http.Cookie{Name: "rescind", Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if _, port, err := net.SplitHostPort(r.Host); err == nil && strings.Trim(port, "0123456789") == "" {
		c.Name += "-" + port
	}
	if r.TLS != nil || !loopback(r.Host) {
		c.Name, c.Secure = "__Host-"+c.Name, true
	}
	return c
}

// sessionOf returns the value of the cookie of r, or "".
func sessionOf(r *http.Request) string {
	c, err := r.Cookie(cookie(r).Name)
	if err != nil {
		return ""
	}
	return c.Value
}

// loopback reports whether a browser that names host talks to its own machine.
func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && address.IsLoopback()
}

// exposed reports whether the form of r crossed a network in the clear: not to
// this machine, not by TLS, and not to a proxy by TLS, which Origin tells.
func exposed(r *http.Request) bool {
	return r.TLS == nil && !loopback(r.Host) && !strings.HasPrefix(r.Header.Get("Origin"), "https://")
}

// signIn takes the admin token and answers with a cookie.
func (d *Dashboard) signIn(w http.ResponseWriter, r *http.Request) {
	if exposed(r) {
		d.signInPage(w, http.StatusForbidden, "This page came without TLS over a network, where others can read along. That token should be replaced. Use https, or reach this node by its loopback address, e.g. through ssh -L.")
		return
	}
	operator, err := d.cfg.Admit(r, strings.TrimSpace(r.PostFormValue("token")))
	switch err {
	case nil:
	case ErrTooMany:
		w.Header().Set("Retry-After", "5")
		d.signInPage(w, http.StatusTooManyRequests, "Too many attempts. Wait a few seconds.")
		return
	default:
		d.signInPage(w, http.StatusForbidden, "That is not an admin token of this node.")
		return
	}
	d.cfg.Logger.InfoContext(r.Context(), "signed in to the dashboard", "caller", operator.Name)
	d.sessions.close(sessionOf(r))
	c := cookie(r) // #nosec G124 -- it sets HttpOnly and SameSite, and Secure but on loopback
	c.Value = d.sessions.open(operator, time.Now())
	http.SetCookie(w, c)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (d *Dashboard) signOut(w http.ResponseWriter, r *http.Request) {
	d.sessions.close(sessionOf(r))
	c := cookie(r) // #nosec G124 -- it sets HttpOnly and SameSite, and Secure but on loopback
	c.MaxAge = -1
	http.SetCookie(w, c)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// page is a handler that knows who asks.
type page func(w http.ResponseWriter, r *http.Request, o Operator)

// signedIn lets only operators to next; others are shown the way.
func (d *Dashboard) signedIn(next page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		o, ok := d.sessions.find(sessionOf(r), time.Now(), r.URL.Path != livePath)
		switch {
		case ok:
			next(w, r, o)
		case r.Method == http.MethodGet && r.URL.Path != livePath:
			http.Redirect(w, r, "/", http.StatusSeeOther)
		default:
			d.signInPage(w, http.StatusForbidden, "Your session has ended. Sign in again.")
		}
	}
}
