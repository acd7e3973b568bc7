package dashboard

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"rescind"
	"rescind/token"
)

// PlaygroundPath is where a playground is served, and what is below it.
const PlaygroundPath = "/demo/playground"

// PlaygroundNode is a node that the sessions of a playground are tried on.
type PlaygroundNode struct {
	Name     string
	Issuer   *token.Issuer
	Verifier *token.Verifier
	Node     interface {
		token.Revoker

		// WatchToken calls revoked, quickly, once the node refuses t; see
		// cluster.Node.
		WatchToken(t rescind.Token, revoked func()) (stop func())
	}
}

// Playground is a page on which two imagined browsers log in and out, and every
// node's answer to each of their tokens stands beside. It asks for no password
// and is for trying out only. Close ends it.
type Playground struct {
	handler http.Handler
	nodes   []PlaygroundNode
	drained context.Context
	drain   context.CancelFunc
	log     *slog.Logger

	mu       sync.Mutex // guards all below
	browsers [2]browser
	lastID   int
	asked    time.Time // when somebody last asked for a log-out
}

// browser is one of the two.
type browser struct {
	name   string
	node   int // that it talks to
	visits []*visit
}

// visit is a session in a browser.
type visit struct {
	id           int
	user, device string
	pair         token.Pair
	refreshed    int
	refused      []refusal // by node
	stops        []func()
}

// refusal is when a node came to refuse a token.
type refusal struct {
	done  bool
	after time.Duration // since somebody asked; negative if nobody did here
}

const (
	maxVisits = 6 // of one browser

	// causedWithin is how long after a log-out here a refusal is taken for its
	// consequence.
	causedWithin = 10 * time.Second

	playgroundEvery = 250 * time.Millisecond
)

// NewPlayground returns a playground of the given nodes, of which there must be
// one at least. A nil log means slog.Default().
func NewPlayground(nodes []PlaygroundNode, log *slog.Logger) *Playground {
	if log == nil {
		log = slog.Default()
	}
	p := &Playground{nodes: nodes, log: log}
	p.drained, p.drain = context.WithCancel(context.Background())
	p.browsers = [2]browser{{name: "Browser A"}, {name: "Browser B", node: min(1, len(nodes)-1)}}
	pages := pages{
		"GET " + PlaygroundPath:              p.page,
		"GET " + PlaygroundPath + "/live":    p.live,
		"POST " + PlaygroundPath + "/login":  p.login,
		"POST " + PlaygroundPath + "/act":    p.act,
		"POST " + PlaygroundPath + "/switch": p.switchNode,
	}
	p.handler = pages.guarded()
	return p
}

// ServeHTTP serves PlaygroundPath and what is below it.
func (p *Playground) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// Close ends the streams and stops watching tokens. It may be called again.
func (p *Playground) Close() {
	p.drain()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.browsers {
		for _, v := range p.browsers[i].visits {
			v.stop()
		}
		p.browsers[i].visits = nil
	}
}

func (v *visit) stop() {
	for _, stop := range v.stops {
		stop()
	}
	v.stops = nil
}

// keepLocked takes a new pair of tokens and watches for the end of it on every node.
func (p *Playground) keepLocked(v *visit, pair token.Pair) error {
	verified, err := p.nodes[0].Verifier.VerifyToRevoke(pair.AccessToken, token.Inspection{})
	if err != nil {
		return err
	}
	v.stop()
	v.pair, v.refused = pair, make([]refusal, len(p.nodes))
	refused := v.refused
	for i, n := range p.nodes {
		v.stops = append(v.stops, n.Node.WatchToken(verified.Token, func() {
			now := time.Now()
			p.mu.Lock()
			defer p.mu.Unlock()
			refused[i] = refusal{true, now.Sub(p.asked)}
			if refused[i].after > causedWithin {
				refused[i].after = -1
			}
		}))
	}
	return nil
}

// login opens a session in a browser.
func (p *Playground) login(w http.ResponseWriter, r *http.Request) {
	b, err := p.browserOf(r)
	user, device := strings.TrimSpace(r.PostFormValue("user")), strings.TrimSpace(r.PostFormValue("device"))
	if err == nil && (user == "" || len(user) > 64 || len(device) > 64) {
		err = errors.New("name a user, and a device if you like, in at most 64 bytes each")
	}
	if err != nil {
		p.show(w, http.StatusUnprocessableEntity, err)
		return
	}
	pair, err := p.nodes[p.nodeOf(b)].Issuer.Login(r.Context(), user, token.LoginOptions{ClientID: "playground", Claims: map[string]any{"device": device}})
	if err == nil {
		err = p.admit(b, &visit{user: user, device: device}, pair)
	}
	p.after(w, r, err)
}

func (p *Playground) admit(b *browser, v *visit, pair token.Pair) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastID++
	v.id = p.lastID
	if err := p.keepLocked(v, pair); err != nil {
		return err
	}
	if len(b.visits) == maxVisits {
		b.visits[0].stop()
		b.visits = slices.Delete(b.visits, 0, 1)
	}
	b.visits = append(b.visits, v)
	return nil
}

// act refreshes a session, logs it out, or logs out its user everywhere.
func (p *Playground) act(w http.ResponseWriter, r *http.Request) {
	b, err := p.browserOf(r)
	if err != nil {
		p.show(w, http.StatusUnprocessableEntity, err)
		return
	}
	id, _ := strconv.Atoi(r.PostFormValue("session"))
	p.mu.Lock()
	i := slices.IndexFunc(b.visits, func(v *visit) bool { return v.id == id })
	if i < 0 {
		p.mu.Unlock()
		p.show(w, http.StatusUnprocessableEntity, errors.New("that session is no longer here"))
		return
	}
	v := b.visits[i]
	pair, n := v.pair, p.nodes[b.node]
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 5*time.Second)
	defer cancel()
	switch r.PostFormValue("do") {
	case "refresh":
		if pair, err = n.Issuer.Refresh(ctx, pair.RefreshToken); err == nil {
			p.mu.Lock()
			v.refreshed++
			err = p.keepLocked(v, pair)
			p.mu.Unlock()
		}
	case "logout":
		err = p.revoke(ctx, n, pair, (*token.Verified).Session)
	case "everywhere":
		err = p.revoke(ctx, n, pair, (*token.Verified).Subject)
	case "forget":
		p.mu.Lock()
		v.stop()
		b.visits = slices.DeleteFunc(b.visits, func(other *visit) bool { return other == v })
		p.mu.Unlock()
	default:
		err = errors.New("there is no such button")
	}
	p.after(w, r, err)
}

// revoke asks for a log-out and waits until all nodes have it on disk.
func (p *Playground) revoke(ctx context.Context, n PlaygroundNode, pair token.Pair, what func(*token.Verified) rescind.Revocation) error {
	verified, err := n.Verifier.VerifyToRevoke(pair.AccessToken, token.Inspection{AllowExpired: true})
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.asked = time.Now()
	p.mu.Unlock()
	_, err = n.Node.Revoke(ctx, what(verified), rescind.AckAll)
	return err
}

// switchNode lets a browser talk to another node.
func (p *Playground) switchNode(w http.ResponseWriter, r *http.Request) {
	b, err := p.browserOf(r)
	node, odd := strconv.Atoi(r.PostFormValue("node"))
	if err == nil && (odd != nil || node < 0 || node >= len(p.nodes)) {
		err = errors.New("there is no such node")
	}
	if err == nil {
		p.mu.Lock()
		b.node = node
		p.mu.Unlock()
	}
	p.after(w, r, err)
}

func (p *Playground) browserOf(r *http.Request) (*browser, error) {
	i, err := strconv.Atoi(r.PostFormValue("browser"))
	if err != nil || i < 0 || i >= len(p.browsers) {
		return nil, errors.New("there is no such browser")
	}
	return &p.browsers[i], nil
}

func (p *Playground) nodeOf(b *browser) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return b.node
}

// after goes back to the page, or says what went wrong.
func (p *Playground) after(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil && !errors.Is(err, rescind.ErrUnconfirmed) {
		p.show(w, http.StatusUnprocessableEntity, err)
		return
	}
	http.Redirect(w, r, PlaygroundPath, http.StatusSeeOther)
}

func (p *Playground) page(w http.ResponseWriter, _ *http.Request) { p.show(w, http.StatusOK, nil) }

func (p *Playground) live(w http.ResponseWriter, r *http.Request) {
	s := stream{w: w, every: playgroundEvery, names: []string{"live-browsers"}, drained: p.drained}
	s.run(r, func(time.Time) ([]string, bool) {
		var out bytes.Buffer
		if err := templates.ExecuteTemplate(&out, "live-browsers", p.look()); err != nil {
			panic(err) // every state that can be made can be shown
		}
		return []string{out.String()}, true
	})
}
