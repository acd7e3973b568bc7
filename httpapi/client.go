package httpapi

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"

	"rescind"
	"rescind/internal/problem"
)

// Client is an application that may call the OAuth endpoints under its own name.
type Client struct {
	// ID is what the tokens that were issued to it name as client_id or azp.
	ID string `yaml:"id"`

	// SecretHash is the bcrypt hash of its secret. Empty makes it a public
	// client, which can keep no secret: possession of a token is then enough to
	// revoke it, and it may not introspect.
	SecretHash string `yaml:"secret-hash"`

	// Introspect lets it ask about any token, as a resource server must.
	Introspect bool `yaml:"introspect"`

	// Audience is who it is as a resource server, as aud of tokens names it: a
	// token for none of these is inactive to it (RFC 9701, section 5). Empty: it is
	// told of tokens for all audiences that are accepted here.
	Audience []string `yaml:"audience"`
}

func (c Client) public() bool { return c.SecretHash == "" }

// clients knows who is who. A nil one knows nobody, and asks nobody to
// authenticate.
type clients struct {
	*guessing
	byID  map[string]*knownClient
	decoy []byte // a hash that no secret has, for names that nobody has
	cost  int    // of the decoy, the highest of all
}

// guessing is what is remembered and spent while secrets are tried. It outlives
// the list of clients.
type guessing struct {
	memory [32]byte      // keys what is remembered of good secrets
	slots  chan struct{} // bounds how many bcrypt hashes are computed at once
	tries  *limit        // by network: of secrets that are not remembered
}

func newGuessing(stats *limitStats) *guessing {
	g := &guessing{slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/4)), tries: newTries(stats)}
	rand.Read(g.memory[:]) // never fails
	return g
}

type knownClient struct {
	Client

	// good is the keyed hash of the secret that was right last. bcrypt takes 50
	// ms by design, and a resource server asks with each request.
	good atomic.Pointer[[sha256.Size]byte]
}

// A quarter of the processors at most hashes secrets, so that guessing can't take
// them from checks, and one network may try tryBurst secrets and then triesPerSecond
// each second. Neither is asked about a secret that is remembered: guessing keeps
// nobody out who was let in before.
const (
	bcryptWait     = time.Second
	triesPerSecond = 1
	tryBurst       = 20
)

func newTries(stats *limitStats) *limit {
	l := newLimit(triesPerSecond, stats)
	l.burst = tryBurst
	return l
}

// newClients returns the clients of list. Secrets that were right for a client of
// old stay remembered if it has the same one.
func newClients(list []Client, old *clients, stats *limitsStats) (*clients, error) {
	if len(list) == 0 {
		return nil, nil
	}
	if old == nil {
		old = &clients{guessing: newGuessing(&stats.secret)}
	}
	c := &clients{guessing: old.guessing, byID: map[string]*knownClient{}, cost: bcrypt.MinCost}
	for i, client := range list {
		switch {
		case client.ID == "" || len(client.ID) > rescind.MaxIDLen:
			return nil, fmt.Errorf("httpapi: client %d has no ID, or one of more than %d bytes", i+1, rescind.MaxIDLen)
		case c.byID[client.ID] != nil:
			return nil, fmt.Errorf("httpapi: client %.80q is there twice", client.ID)
		case client.public() && client.Introspect:
			return nil, fmt.Errorf("httpapi: client %.80q may introspect but has no secret; anybody could then", client.ID)
		}
		if !client.public() {
			n, err := bcrypt.Cost([]byte(client.SecretHash))
			if err != nil {
				return nil, fmt.Errorf("httpapi: the secret of client %.80q is no bcrypt hash: make one with 'rescind keys hash'", client.ID)
			}
			c.cost = max(c.cost, n)
		}
		known := &knownClient{Client: client}
		if before := old.byID[client.ID]; before != nil && before.SecretHash == client.SecretHash {
			known.good.Store(before.good.Load())
		}
		c.byID[client.ID] = known
	}
	if c.decoy = old.decoy; old.cost == c.cost {
		return c, nil
	}
	var err error
	c.decoy, err = bcrypt.GenerateFromPassword([]byte(rand.Text()), c.cost)
	return c, err
}

// credentials are what a request says of its client.
type credentials struct {
	id, secret string
	proof      bool // there is a secret, if only an empty one
}

// credentialsOf reads the client's credentials (RFC 6749 section 2.3.1): Basic,
// or client_id and client_secret in the form, and not both.
func credentialsOf(r *http.Request, form url.Values) (credentials, error) {
	c := credentials{id: form.Get("client_id"), secret: form.Get("client_secret"), proof: form.Has("client_secret")}
	user, password, basic := r.BasicAuth()
	if len(r.Header["Authorization"]) > 1 {
		return c, &problem.Error{Kind: problem.Malformed, Detail: "there is more than one Authorization header"}
	}
	if !basic {
		return c, nil
	}
	id, err1 := url.QueryUnescape(user) // both are form-encoded first
	secret, err2 := url.QueryUnescape(password)
	if err1 != nil || err2 != nil {
		return c, problem.ErrInvalidClient
	}
	if c.proof || c.id != "" && c.id != id {
		return c, &problem.Error{Kind: problem.Malformed, Detail: "the client authenticates in two ways; use one"}
	}
	return credentials{id, secret, true}, nil
}

// authenticate returns the client of a request: nil where it presents no
// credentials, and a public one on its word. from is the network that it comes
// from. Errors are problem.ErrInvalidClient, problem.ErrTooManyTries, rescind.ErrBusy,
// and of type *problem.Error.
func (c *clients) authenticate(r *http.Request, from string, form url.Values) (*Client, error) {
	given, err := credentialsOf(r, form)
	if c == nil || err != nil || given == (credentials{}) {
		return nil, err
	}
	known := c.byID[given.id]
	switch {
	case known != nil && known.public() && (!given.proof || given.secret == ""):
		return &known.Client, nil
	case !given.proof || known != nil && known.public():
		return nil, problem.ErrInvalidClient
	}
	if err := c.prove(r.Context(), from, known, given.secret); err != nil {
		return nil, err
	}
	return &known.Client, nil
}

// early is authenticate for what a header says, before the body is read: whoever gives
// the wrong secret there is refused whatever the body says.
func (c *clients) early(r *http.Request, from string) error {
	if _, _, basic := r.BasicAuth(); !basic {
		return nil
	}
	_, err := c.authenticate(r, from, nil)
	return err
}

// prove reports whether secret is that of known, in the same time for a client
// that is not known.
func (c *clients) prove(ctx context.Context, from string, known *knownClient, secret string) error {
	digest := c.digest(secret)
	if known.remembers(digest) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, bcryptWait)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return rescind.ErrBusy
	}
	if known.remembers(digest) { // since another request, for whose answer this one waited
		return nil
	}
	if !c.tries.allow(from) {
		return problem.ErrTooManyTries
	}
	hash := c.decoy
	if known != nil {
		hash = []byte(known.SecretHash)
	}
	if bcrypt.CompareHashAndPassword(hash, []byte(secret)) != nil || known == nil {
		return problem.ErrInvalidClient
	}
	known.good.Store(&digest)
	return nil
}

func (k *knownClient) remembers(digest [sha256.Size]byte) bool {
	if k == nil {
		return false
	}
	good := k.good.Load()
	return good != nil && hmac.Equal(good[:], digest[:])
}

func (c *clients) digest(secret string) [sha256.Size]byte {
	mac := hmac.New(sha256.New, c.memory[:])
	mac.Write([]byte(secret))
	return [sha256.Size]byte(mac.Sum(nil))
}

// mustProve reports whether id is a client that has a secret.
func (c *clients) mustProve(id string) bool {
	return c != nil && c.byID[id] != nil && !c.byID[id].public()
}
