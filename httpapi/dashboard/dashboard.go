// Package dashboard is what people see of a node in a browser: the cluster as
// this node sees it, live, what is wrong, and forms to revoke and to ask why a
// token is refused.
//
// It guarantees:
//   - Every page is complete without JavaScript. The script swaps in what the
//     server has rendered anew, and renders nothing itself.
//   - Nothing is fetched from elsewhere, and the policy that each answer carries
//     lets a browser run, show and send nothing but this package's own files.
//   - The cookie opens these pages and nothing else: the API goes on asking for
//     the admin token.
//   - No token is shown or kept, and an event shows a digest, not an identifier.
//   - Memory is bounded: ten minutes of samples, the latest events, a few dozen
//     sessions and streams.
package dashboard

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"rescind"
	"rescind/cluster"
	"rescind/httpapi/diagnosis"
	"rescind/token"
)

// Node is what is looked at; *cluster.Node is one. Its methods are safe for
// concurrent use.
type Node interface {
	Status() cluster.Status

	// Watch returns the events from the moment of the call until ctx ends or the
	// node closes.
	Watch(ctx context.Context) iter.Seq[cluster.Event]
}

// Operator is somebody who has signed in.
type Operator struct {
	Name string

	// Still reports whether the token with which they signed in is still an
	// operator's.
	Still func() bool
}

// Config says what a dashboard shows and does. All fields but Logger and Links
// are required.
type Config struct {
	Node    Node
	Version string // of the software

	// Certificates returns what expires. nil means nothing.
	Certificates func() []diagnosis.Certificate

	// Draining reports whether the node has been asked to go, and Drained ends
	// then: streams end with it.
	Draining func() bool
	Drained  context.Context

	// Admit returns whose admin token secret is. It errs with ErrTooMany where
	// this client has tried too often.
	Admit func(r *http.Request, secret string) (Operator, error)

	// Revoke revokes what an operator names, as the API does.
	Revoke func(r *http.Request, operator string, f Form) (Revoked, error)

	// Explain says what the node makes of a token.
	Explain func(raw string) token.Explanation

	// Links are further pages to name on each, e.g. a playground.
	Links []Link

	// Logger is told who signs in. nil means slog.Default().
	Logger *slog.Logger
}

// Link leads to another page of this node.
type Link struct{ Path, Name string }

// Form is what the form for revocations holds: a token, or an issuer and an
// identifier.
type Form struct {
	Scope  rescind.Scope
	Token  string // names the identifier by its claim; "" if ID does
	Issuer string // "" means the only one that is configured
	ID     string
	Ack    rescind.Ack
	Reason string // for the audit log
}

// Revoked is a receipt. Confirmed is false where fewer nodes than asked for
// acknowledged in time; the revocation stands all the same.
type Revoked struct {
	rescind.Receipt
	Confirmed bool
}

// Why Admit refuses.
var (
	ErrNoOperator = errors.New("dashboard: no operator has this token")
	ErrTooMany    = errors.New("dashboard: too many attempts to sign in")
)

// Dashboard serves the pages. Run keeps what they show of the last minutes.
type Dashboard struct {
	cfg      Config
	handler  http.Handler
	sessions sessions
	history  history
	events   events
	streams  atomic.Int64

	mu       sync.Mutex // guards rendered
	rendered rendered
}

// New returns a dashboard.
func New(cfg Config) *Dashboard {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	d := &Dashboard{cfg: cfg}
	pages := pages{
		"GET /":                    d.overview,
		"POST /dashboard/sign-in":  d.signIn,
		"POST /dashboard/sign-out": d.signOut,
		"GET " + livePath:          d.signedIn(d.live),
		"GET /dashboard/revoke":    d.signedIn(d.revokePage),
		"POST /dashboard/revoke":   d.signedIn(d.revoke),
		"GET /dashboard/check":     d.signedIn(d.checkPage),
		"POST /dashboard/check":    d.signedIn(d.check),
		"GET " + stylePath:         serveFile("style.css", "text/css; charset=utf-8"),
		"GET " + scriptPath:        serveFile("script.js", "text/javascript; charset=utf-8"),
	}
	d.handler = pages.guarded()
	return d
}

// ServeHTTP serves / and what is below /dashboard/.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.handler.ServeHTTP(w, r) }

// Run keeps samples and events for the pages until ctx ends. Without it they
// show the moment alone.
func (d *Dashboard) Run(ctx context.Context) {
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { d.events.follow(ctx, d.cfg.Node) })
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		now := time.Now()
		st := d.cfg.Node.Status()
		d.history.take(now, st)
		d.events.compare(now, st, d.problems(st))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Problems returns what is wrong with the node right now.
func (d *Dashboard) Problems() []diagnosis.Problem { return d.problems(d.cfg.Node.Status()) }

func (d *Dashboard) problems(st cluster.Status) []diagnosis.Problem {
	v := diagnosis.View{Status: st, Draining: d.cfg.Draining(), Now: time.Now()}
	if d.cfg.Certificates != nil {
		v.Certificates = d.cfg.Certificates()
	}
	d.history.before(&v)
	return diagnosis.Problems(v)
}
