package httpapi

import (
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"

	"rescind/internal/problem"
)

// route is one line of the table from which both the dispatch and the index
// page are made, so that neither can promise what the other does not do.
type route struct {
	method string // anyMethod, or one; GET serves HEAD, too
	path   string
	who    string // who may ask
	what   string // for the index
	serve  http.HandlerFunc
}

const (
	anyMethod   = "*"
	checkPath   = "/v1/check"
	metricsPath = "/metrics"

	// dashboardPath and what is below it are pages for people.
	dashboardPath = "/dashboard/"
)

func (a *API) table() []route {
	return []route{
		{anyMethod, checkPath, "bearer", "is this token acceptable right now? (forward-auth; the path may go on)", a.check},
		{http.MethodDelete, "/v1/session", "bearer", "log out this device", a.limited(a.endSession)},
		{http.MethodDelete, "/v1/sessions", "bearer", "log out everywhere", a.limited(a.endSessions)},
		{http.MethodPost, "/v1/backchannel-logout", "token", "OpenID Connect Back-Channel Logout 1.0", a.limited(a.backchannelLogout)},
		{http.MethodPost, "/v1/security-events", "token", "security events, pushed: RFC 8935, Shared Signals, CAEP, RISC", a.limited(a.receiveEvent)},
		{http.MethodPost, eventPollPath, "receiver", "security events of what is revoked here, polled: RFC 8936", a.limited(a.receiverOnly(a.offerEvents))},
		{http.MethodPost, eventVerifyPath, "receiver", "send me a verification event (Shared Signals)", a.limited(a.receiverOnly(a.sendVerification))},
		{http.MethodPost, "/v1/revocations", "admin", "revoke by scope and id, or by token", a.adminOnly(a.postRevocation)},
		{http.MethodPost, "/v1/revocations/bulk", "admin", "one revocation a line, one answer a line (NDJSON)", a.adminOnly(a.postBulk)},
		{http.MethodGet, backupPath, "admin", "all revocations as a sealed file", a.adminOnly(a.getBackup)},
		{http.MethodPost, "/v1/restore", "admin", "merge the revocations of such a file", a.adminOnly(a.postBackup)},
		{http.MethodPost, "/v1/tokens/consume", "bearer or admin", "use up a one-time token: 200 the first time, 409 ever after", a.limited(a.consumeToken)},
		{http.MethodPost, "/v1/explain", "admin", "why is this token refused? step by step and scope by scope", a.adminOnly(a.explain)},
		{http.MethodGet, "/v1/cluster", "admin", "members, staleness, counters", a.adminOnly(a.getCluster)},
		{http.MethodPost, "/v1/members/accept-loss", "admin", "give up what only lost folders of named members held", a.adminOnly(a.acceptLoss)},
		{http.MethodGet, "/v1/events", "admin", "revocations and members as they change (server-sent events)", a.adminOnly(a.getEvents)},
		{http.MethodPost, "/oauth2/revoke", "token", "RFC 7009", a.limited(a.oauthRevoke)},
		{http.MethodPost, "/oauth2/introspect", "client or admin", "RFC 7662", a.introspect},
		{http.MethodGet, "/.well-known/jwks.json", "", "verification keys", a.jwks},
		{http.MethodGet, statusPath, "", "which tokens are revoked, by their status reference (Token Status List)", a.statusList},
		{http.MethodGet, "/.well-known/ssf-configuration", "", "what this transmits of security events (Shared Signals)", a.ssfConfiguration},
		{http.MethodGet, "/healthz", "", "liveness", a.healthz},
		{http.MethodGet, "/readyz", "", "readiness, with reasons", a.readyz},
		{http.MethodGet, metricsPath, "", "Prometheus", a.metrics.serve},
		{http.MethodGet, "/openapi.json", "", "what programs read of this (OpenAPI 3.1)", a.openapi},
		{anyMethod, dashboardPath, "admin", "the dashboard's pages; it begins at / in a browser", a.dashboard.ServeHTTP},
		{http.MethodGet, "/", "", "this page", nil}, // the face's own
	}
}

// Handler returns the handler of every endpoint.
func (a *API) Handler() http.Handler { return a.handler(true, func(route) bool { return true }) }

// PublicHandler and AdminHandler part the endpoints for listeners of their own.
// On the public one no operator is recognised: it has neither the admin endpoints
// nor metrics, and introspection and the use of tokens are for clients and bearers
// alone. AdminHandler has what operators may use, health and metrics.
func (a *API) PublicHandler() http.Handler {
	return a.handler(false, func(rt route) bool { return rt.who != "admin" && rt.path != metricsPath })
}

// AdminHandler is described at PublicHandler.
func (a *API) AdminHandler() http.Handler {
	return a.handler(true, func(rt route) bool { return rt.operators() || rt.who == "" })
}

// face is a handler of some of the routes.
type face struct {
	api       *API
	operators bool // they are recognised
	routes    map[string]route
	listed    []route // in the order of the table
}

// handler returns a handler of the routes of which has is true. It is not a
// [http.ServeMux], because that answers a path with // or .. in it by a redirect: an
// Envoy that appends the original path to /v1/check would take the redirect for
// the verdict.
func (a *API) handler(operators bool, has func(route) bool) http.Handler {
	f := &face{api: a, operators: operators, routes: make(map[string]route)}
	for _, rt := range a.table() {
		if rt.path == "/" {
			rt.serve = f.front
		}
		if has(rt) {
			f.routes[rt.path] = rt
			f.listed = append(f.listed, rt)
		}
	}
	return f
}

// ServeHTTP implements http.Handler.
func (f *face) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := f.api
	header := w.Header()
	header["X-Content-Type-Options"] = nosniff
	header["Cache-Control"] = noStore
	defer a.recovered(w, r)
	path := r.URL.Path
	if strings.HasPrefix(path, checkPath+"/") {
		path = checkPath
	}
	if name, below := strings.CutPrefix(path, statusPrefix); below && name != "" {
		path = statusPath
	}
	if strings.HasPrefix(path, dashboardPath) {
		path = dashboardPath
	}
	rt, ok := f.routes[path]
	if path != checkPath {
		w = closingUnread(w, r)
	}
	switch {
	case !ok:
		problem.NotFound.Write(w, "there is nothing at this path; GET / lists what there is")
	case !rt.allows(r.Method):
		header.Set("Allow", rt.allowed())
		problem.Method.Write(w, "this path takes "+rt.allowed())
	default:
		r.Pattern = rt.path
		if rt.path != checkPath {
			r = a.withTerms(r, f.operators)
			if u, ok := w.(*unread); ok {
				r.Body = u.noting(r.Body)
			}
		}
		rt.serve(w, r)
	}
}

// Values that every answer shares, so that a check allocates none of them.
var (
	nosniff = []string{"nosniff"}
	noStore = []string{"no-store"}
)

// operators reports whether operators may use it.
func (rt route) operators() bool {
	return rt.who == "admin" || strings.HasSuffix(rt.who, " or admin")
}

func (rt route) allows(method string) bool {
	return rt.method == anyMethod || rt.method == method || rt.method == http.MethodGet && method == http.MethodHead
}

func (rt route) allowed() string {
	if rt.method == http.MethodGet {
		return "GET, HEAD"
	}
	return rt.method
}

// recovered answers 500 after a panic and logs where it was. The value is
// logged only if it comes from the runtime: any other may quote the request,
// and the request may hold a token.
func (a *API) recovered(w http.ResponseWriter, r *http.Request) {
	value := recover()
	if value == nil {
		return
	}
	if value == http.ErrAbortHandler {
		panic(value)
	}
	a.logPanic(r, value)
	problem.Unexpected.Write(w, "the node's log says why")
}

func (a *API) logPanic(r *http.Request, value any) {
	words := "withheld, it may quote the request"
	if err, ok := value.(runtime.Error); ok {
		words = err.Error()
	}
	a.log.LogAttrs(r.Context(), slog.LevelError, "panic", slog.String("endpoint", r.Pattern), slog.String("value", words), slog.String("stack", string(debug.Stack())))
}

// survive is deferred by each goroutine that a handler starts: what recovered does for
// the handler's own is not done for them, and a panic would end the process. failed,
// which may be nil, is called after one.
func (a *API) survive(r *http.Request, failed func()) {
	value := recover()
	if value == nil {
		return
	}
	a.logPanic(r, value)
	if failed != nil {
		failed()
	}
}
