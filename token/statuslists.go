package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rescind"
	"rescind/token/internal/fetch"
	"rescind/token/jwks"
	"rescind/token/statuslist"
)

const (
	// maxStatusLists bounds the lists of one issuer, and maxStatusBytes what they
	// occupy together: a list beyond that is not fetched, and what it would have
	// said is unknown.
	maxStatusLists = 64
	maxStatusBytes = 64 << 20

	// maxStatusFetches is how many lists of one issuer are fetched at once: each may
	// take several times maxStatusTokenBytes while it is read.
	maxStatusFetches = 8

	// statusIdle is how long a list is kept up to date that no token refers to.
	statusIdle = time.Hour

	// statusMaxAge bounds for how long a list is relied upon that can't be
	// fetched again, whatever it says itself.
	statusMaxAge = 24 * time.Hour
)

// statusLists keeps the status lists of one issuer up to date. Like those of
// remote, its readers do no I/O and wait for nothing: a list that is not there
// is asked for, and fetched by a goroutine of its own.
type statusLists struct {
	allowed []string // see IssuerConfig.StatusLists
	keysURL string
	client  *http.Client
	leeway  time.Duration
	now     func() time.Time
	log     *slog.Logger

	// signer has the keys that sign the lists: the issuer's, or the ones of
	// StatusKeysURL.
	signer atomic.Pointer[trusted]

	lists  sync.Map    // from the URI to a *statusList; only run adds
	wanted chan string // the URIs of lists that are not there
	failed atomic.Uint64
	slots  chan struct{} // holds one for each fetch under way

	mu    sync.Mutex // guards what follows
	count int        // of lists
	bytes int        // that the lists occupy
	full  bool       // it has been told that there are too many

	ctx     context.Context // of run
	stop    context.CancelFunc
	started bool // guarded by Verifier.mu
}

// statusList is one list. A goroutine of its own follows it.
type statusList struct {
	uri   string
	fixed bool                     // configured by its name: never idle
	held  atomic.Pointer[goodList] // nil: none yet
	asked atomic.Int64             // when a token last referred to it, in milliseconds
	asOf  atomic.Int64             // when the fetch of held began
}

// newStatusLists returns what follows the lists of c. It needs a signer before it
// starts.
func newStatusLists(c IssuerConfig, v *VerifierConfig) (*statusLists, error) {
	for _, allowed := range c.StatusLists {
		if err := checkStatusURI(allowed); err != nil {
			return nil, fmt.Errorf("status-lists: %w", err)
		}
	}
	s := &statusLists{
		allowed: slices.Clone(c.StatusLists), keysURL: c.StatusKeysURL, leeway: v.Leeway, now: v.Now,
		log: v.Logger.With("iss", c.Issuer), wanted: make(chan string, 16), slots: make(chan struct{}, maxStatusFetches),
	}
	s.client = fetch.Client(v.HTTPClient)
	follow := s.client.CheckRedirect
	s.client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if !s.permits(req.URL.String()) {
			return errors.New("redirect to where no list of the issuer is")
		}
		return follow(req, via)
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// follows reports whether s is what newStatusLists would return for c.
func (s *statusLists) follows(c IssuerConfig) bool {
	return slices.Equal(s.allowed, c.StatusLists) && s.keysURL == c.StatusKeysURL
}

// newStatusSigner returns who signs the lists: t, or the party that publishes its
// keys at StatusKeysURL. Each of its keys decides which algorithm it is for.
func newStatusSigner(c IssuerConfig, v *VerifierConfig, t, old *trusted) (*trusted, error) {
	if c.StatusKeysURL == "" {
		return t, nil
	}
	s := &trusted{allowed: make(map[string]*jwks.Algorithm)}
	for name, a := range jwks.Algorithms {
		if a.Type != "oct" {
			s.allowed[name] = a
		}
	}
	if old != nil && old.StatusKeysURL == c.StatusKeysURL {
		s.remote = old.signer.remote
	} else {
		var err error
		if s.remote, err = jwks.NewRemote(c.StatusKeysURL, v.remote()); err != nil {
			return nil, fmt.Errorf("status-jwks-url: %w", err)
		}
	}
	s.keys = s.remote.Set
	return s, nil
}

// checkStatusURI accepts what checkURL does, if it has one spelling and nothing
// that a server could take for another path.
func checkStatusURI(rawURL string) error {
	if err := fetch.CheckURL(rawURL); err != nil {
		return err
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return errors.New("not a URL")
	}
	clean := path.Clean(u.Path)
	if strings.HasSuffix(u.Path, "/") && clean != "/" {
		clean += "/"
	}
	switch {
	case u.User != nil || u.Fragment != "" || u.RawQuery != "" || u.ForceQuery:
		return errors.New("must have no user, query and fragment")
	case u.Path == "" || u.Path != clean || strings.ContainsAny(rawURL, `%\`) || u.String() != rawURL:
		return errors.New("must have a path, spelt in its simplest form")
	}
	return nil
}

// permits reports whether the issuer's lists may be at uri.
func (s *statusLists) permits(uri string) bool {
	there := func(allowed string) bool {
		if strings.HasSuffix(allowed, "/") {
			return len(uri) > len(allowed) && strings.HasPrefix(uri, allowed)
		}
		return uri == allowed
	}
	return slices.ContainsFunc(s.allowed, there) && checkStatusURI(uri) == nil
}

// checkStatus refuses a token whose list says so, or does not say otherwise. How old the list
// is counts only where reliedUpon says that now is the time.
func (a *authentic) checkStatus(now rescind.Millis, reliedUpon func() bool) error {
	lists, ref := a.issuer.lists, a.status
	switch {
	case lists == nil || ref.URI == "" && !a.claims.status.malformed || a.published.ID != "":
		return nil
	case a.claims.status.malformed:
		return refuse(ErrStatus, "status", "the status of the token has a form that can't be read")
	}
	held, ok := lists.held(ref.URI, now)
	if !ok {
		return refuse(ErrStatus, "status", "the token refers to a status list that is not one of its issuer")
	}
	reliable := held.reliable(now.Add(-lists.leeway))
	if held.lacks(ref.Index) && (!reliable || !reliedUpon() || held.issued < a.claims.iat.Add(time.Second+lists.leeway)) {
		return refuse(errStatusPending, "status", "the status list at hand does not go as far as the token, but may be older")
	}
	err := held.check(ref.Index)
	if err != nil || reliable || a.issuer.AcceptUnknownStatus {
		return err
	}
	return refuse(errStatusPending, "status", "the status list that the token refers to is not at hand")
}

// held returns what is held of a list, which is nil until it has been fetched.
// It reports false for one that may not be fetched.
func (s *statusLists) held(uri string, now rescind.Millis) (*goodList, bool) {
	found, ok := s.lists.Load(uri)
	if !ok {
		if !s.permits(uri) {
			return nil, false
		}
		s.want(uri)
		return nil, true
	}
	l := found.(*statusList)
	if last := l.asked.Load(); int64(now)-last > 1000 { // so that checks don't fight for it
		l.asked.Store(int64(now))
	}
	return l.held.Load(), true
}

// want asks for a list. If too many others are asked for, the next token that
// refers to it asks again.
func (s *statusLists) want(uri string) {
	select {
	case s.wanted <- uri:
	default:
	}
}

// goodList is what a list said when it was last fetched. It is immutable; nil
// stands for a list that has not been fetched yet.
type goodList struct {
	list   *statuslist.List
	issued rescind.Millis
	until  rescind.Millis // when it must no longer be relied upon
	due    time.Duration  // after the fetch: when it is to be fetched again
}

func (h *goodList) reliable(now rescind.Millis) bool { return h != nil && now < h.until }

// lacks reports whether the list ends before index. Then it says nothing about a
// token that was issued after it.
func (h *goodList) lacks(index uint64) bool {
	if h == nil {
		return false
	}
	_, ok := h.list.Get(index)
	return !ok
}

// check refuses what the list says to refuse, also if it is no longer reliable:
// it was revoked then.
func (h *goodList) check(index uint64) error {
	if h == nil {
		return nil
	}
	status, ok := h.list.Get(index)
	switch {
	case !ok:
		return refuse(ErrStatus, "status", "the status list does not go as far as the token")
	case status == statuslist.Valid:
		return nil
	case status == statuslist.Invalid:
		return refuse(ErrRevoked, "status", "the status list of the issuer says that the token is revoked")
	case status == statuslist.Suspended:
		return refuse(ErrSuspended, "status", "the status list of the issuer says that the token is suspended")
	default:
		return refuse(ErrStatus, "status", "the status list of the issuer states a status other than valid")
	}
}
