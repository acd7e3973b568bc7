package httpapi

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"

	"rescind"
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
}

func (c Client) public() bool { return c.SecretHash == "" }

// clients knows who is who. A nil one knows nobody, and asks nobody to
// authenticate.
type clients struct {
	byID map[string]*knownClient

	// memory keys what is remembered of good secrets; slots bounds how many
	// bcrypt hashes are computed at once, so that guessing can't take the
	// processor from checks.
	memory [32]byte
	slots  chan struct{}
	decoy  []byte // a hash that no secret has, for names that nobody has
}

type knownClient struct {
	Client

	// good is the keyed hash of the secret that was right last. bcrypt takes 50
	// ms by design, and a resource server asks with each request.
	good atomic.Pointer[[sha256.Size]byte]
}

// bcryptSlots of the processor's time at most is for guessing.
const (
	bcryptSlots = 2
	bcryptWait  = time.Second
)

func newClients(list []Client) (*clients, error) {
	if len(list) == 0 {
		return nil, nil
	}
	c := &clients{byID: map[string]*knownClient{}, slots: make(chan struct{}, bcryptSlots)}
	rand.Read(c.memory[:]) // never fails
	cost := bcrypt.MinCost
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
			cost = max(cost, n)
		}
		c.byID[client.ID] = &knownClient{Client: client}
	}
	var err error
	c.decoy, err = bcrypt.GenerateFromPassword([]byte(rand.Text()), cost)
	return c, err
}

// SetClients replaces Config.Clients. It may be called while the API serves. On an
// error nothing has changed.
func (a *API) SetClients(list []Client) error {
	c, err := newClients(list)
	if err == nil {
		a.clients.Store(c)
	}
	return err
}

// errInvalidClient is RFC 6749's invalid_client.
var errInvalidClient = errors.New("httpapi: the client did not authenticate")

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
		return c, &badRequest{kind: kindMalformed, detail: "there is more than one Authorization header"}
	}
	if !basic {
		return c, nil
	}
	id, err1 := url.QueryUnescape(user) // both are form-encoded first
	secret, err2 := url.QueryUnescape(password)
	if err1 != nil || err2 != nil {
		return c, errInvalidClient
	}
	if c.proof || c.id != "" && c.id != id {
		return c, &badRequest{kind: kindMalformed, detail: "the client authenticates in two ways; use one"}
	}
	return credentials{id, secret, true}, nil
}

// authenticate returns the client of a request: nil where it presents no
// credentials, and a public one on its word. Errors are errInvalidClient,
// rescind.ErrBusy, and of type *badRequest.
func (c *clients) authenticate(r *http.Request, form url.Values) (*Client, error) {
	given, err := credentialsOf(r, form)
	if c == nil || err != nil || given == (credentials{}) {
		return nil, err
	}
	known := c.byID[given.id]
	switch {
	case known != nil && known.public() && (!given.proof || given.secret == ""):
		return &known.Client, nil
	case !given.proof || known != nil && known.public():
		return nil, errInvalidClient
	}
	if err := c.prove(r.Context(), known, given.secret); err != nil {
		return nil, err
	}
	return &known.Client, nil
}

// prove reports whether secret is that of known, in the same time for a client
// that is not known.
func (c *clients) prove(ctx context.Context, known *knownClient, secret string) error {
	digest := c.digest(secret)
	if known != nil {
		if good := known.good.Load(); good != nil && hmac.Equal(good[:], digest[:]) {
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, bcryptWait)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return rescind.ErrBusy
	}
	hash := c.decoy
	if known != nil {
		hash = []byte(known.SecretHash)
	}
	if bcrypt.CompareHashAndPassword(hash, []byte(secret)) != nil || known == nil {
		return errInvalidClient
	}
	known.good.Store(&digest)
	return nil
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
