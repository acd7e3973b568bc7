package httpapi

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"slices"
)

// rules are what of Config can change while the API serves. They are never
// changed but replaced as a whole, and a request keeps those with which it began:
// so none sees half of a change.
type rules struct {
	issuer         string
	logoutAudience map[string][]string
	eventAudience  map[string][]string
	eventSubjects  map[string][]string
	emailIsSubject bool
	trustedProxies []netip.Prefix

	logoutAudiences, eventAudiences []string // of all issuers

	signer Signer // nil: answers are not signed
	name   string // in whose name it signs
	jwks   func() ([]byte, error)
	lists  map[string]*published // by name

	admins                  admins
	clients                 *clients // nil: none
	adminLimit, clientLimit *limit   // nil: none
	anonymousLimit          *limit   // likewise
	stats                   *limitsStats
}

// newRules reads cfg. What old remembers of callers is kept where they stay: their
// use of a limit, and the secrets that were right.
func newRules(cfg Config, old *rules) (*rules, error) {
	if cfg.Signer != nil && cfg.Name == "" {
		return nil, errors.New("httpapi: Config.Signer is set, but not Config.Name: whose statements would they be?")
	}
	lists, err := newPublished(cfg, old.lists)
	if err != nil {
		return nil, err
	}
	admins, err := newAdmins(cfg, &old.admins)
	if err != nil {
		return nil, err
	}
	clients, err := newClients(cfg.Clients, old.clients, old.stats)
	if err != nil {
		return nil, err
	}
	return &rules{
		issuer: cfg.Issuer, logoutAudience: cfg.LogoutAudience, eventAudience: cfg.EventAudience, eventSubjects: cfg.EventSubjects,
		logoutAudiences: slices.Concat(slices.Collect(maps.Values(cfg.LogoutAudience))...),
		eventAudiences:  slices.Concat(slices.Collect(maps.Values(cfg.EventAudience))...),
		emailIsSubject:  cfg.EmailIsSubject, trustedProxies: cfg.TrustedProxies,
		signer: cfg.Signer, name: cfg.Name, jwks: cfg.JWKS, lists: lists,
		admins: admins, clients: clients,
		adminLimit:  old.adminLimit.changedTo(cfg.AdminRate, &old.stats.admin),
		clientLimit: old.clientLimit.changedTo(cfg.ClientRate, &old.stats.client), stats: old.stats,
		anonymousLimit: old.anonymousLimit.changedTo(cfg.AnonymousRate, &old.stats.client),
	}, nil
}

// Reconfigure puts cfg in force while the API serves, as far as it says who may
// do what: Issuer, LogoutAudience, EventAudience, EventSubjects, EmailIsSubject,
// TrustedProxies, AdminToken, AdminScope, Admins, AdminCertificates, Clients, AdminRate,
// ClientRate, AnonymousRate, Signer, Name, JWKS, StatusLists and StatusTTL. All of them change at once, for
// requests that begin afterwards. The rest of cfg is not looked at. On an error nothing has
// changed.
func (a *API) Reconfigure(cfg Config) error {
	commit, err := a.Prepare(cfg)
	if err == nil {
		commit()
	}
	return err
}

// Prepare is the part of Reconfigure that can fail. What it returns does the rest,
// for who changes other things with it or none. Only the latest one that was
// prepared may be called, and nothing else may change the rules in between.
func (a *API) Prepare(cfg Config) (commit func(), err error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	next, err := newRules(cfg, a.rules.Load())
	if err != nil {
		return nil, err
	}
	return func() { a.rules.Store(next) }, nil
}

// SetAdmins replaces Config.Admins, as Reconfigure does.
func (a *API) SetAdmins(list []Admin) error {
	a.changing.Lock()
	defer a.changing.Unlock()
	next := *a.rules.Load()
	named, err := knownAdmins(list)
	if err != nil {
		return err
	}
	next.admins = next.admins.with(named)
	a.rules.Store(&next)
	return nil
}

// SetClients replaces Config.Clients, as Reconfigure does.
func (a *API) SetClients(list []Client) error {
	a.changing.Lock()
	defer a.changing.Unlock()
	next := *a.rules.Load()
	clients, err := newClients(list, next.clients, next.stats)
	if err != nil {
		return err
	}
	next.clients = clients
	a.rules.Store(&next)
	return nil
}

// terms are what one request goes by.
type terms struct {
	*rules
	operators bool // they may be recognised: admin tokens count on this listener
}

type termsKey struct{}

// withTerms lets all of a request go by the rules in force now.
func (a *API) withTerms(r *http.Request, operators bool) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), termsKey{}, terms{a.rules.Load(), operators}))
}

// termsOf returns what r goes by. A check has none of its own, to save their room:
// it asks at most once, and no operator makes one.
func (a *API) termsOf(r *http.Request) terms {
	if own, ok := r.Context().Value(termsKey{}).(terms); ok {
		return own
	}
	return terms{rules: a.rules.Load()}
}
