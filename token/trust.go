package token

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"unique"

	"rescind"
	"rescind/token/jwks"
)

// trusted is one issuer with its rules resolved and its keys at hand.
type trusted struct {
	IssuerConfig // its Issuer is name's value: filter knows the issuer by that very string
	name         unique.Handle[string]
	allowed      map[string]*jwks.Algorithm
	types        []string

	// keys returns the current set without waiting, or nil if none has been
	// had yet.
	keys func() *jwks.Set

	remote *jwks.Remote // nil unless the keys come from a URL

	lists  *statusLists // nil: status lists don't count
	signer *trusted     // whose keys sign them: itself, or the party of StatusKeysURL

	replaced atomic.Bool // by SetIssuers; what it vouched for must be judged anew
}

// newTrusted resolves c. old is what was trusted under the same name so far, or
// nil.
func newTrusted(c IssuerConfig, v *VerifierConfig, old *trusted) (*trusted, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	c = c.owned()
	allowed, err := jwks.AllowList(c.Algorithms)
	if err != nil {
		return nil, err
	}
	t := &trusted{IssuerConfig: c, name: unique.Make(c.Issuer), allowed: allowed, types: c.accessTypes()}
	t.Issuer = t.name.Value()
	t.HS256Secret, t.JWKS, t.DecryptionKeys = nil, nil, nil // held once, by the key set
	switch {
	case c.JWKSURL != "" && old != nil && old.remote != nil && old.remote.URL() == c.JWKSURL:
		t.remote = old.remote
		t.keys = t.remote.Set
	case c.JWKSURL != "":
		t.remote, err = jwks.NewRemote(c.JWKSURL, v.remote())
		if err != nil {
			return nil, fmt.Errorf("jwks-url: %w", err)
		}
		t.keys = t.remote.Set
	case c.Keys != nil:
		t.keys = c.Keys.public.Load
	default:
		set, err := c.loadKeys(allowed)
		if err != nil {
			return nil, err
		}
		t.keys = func() *jwks.Set { return set }
	}
	if len(c.StatusLists) == 0 {
		if c.StatusKeysURL != "" || c.AcceptUnknownStatus {
			return nil, errors.New("status-jwks-url and accept-unknown-status go with status-lists")
		}
		return t, nil
	}
	if t.signer, err = newStatusSigner(c, v, t, old); err != nil {
		return nil, err
	}
	if old != nil && old.lists != nil && old.lists.follows(c) {
		t.lists = old.lists
		return t, nil
	}
	t.lists, err = newStatusLists(c, v)
	return t, err
}

// loops returns what is to run in the background for t.
func (t *trusted) loops() (all []loop) {
	if t.remote != nil {
		all = append(all, t.remote)
	}
	if t.lists == nil {
		return all
	}
	if t.signer != t {
		all = append(all, t.signer.remote)
	}
	return append(all, t.lists)
}

// loop runs in the background, from start until it is stopped.
type loop interface {
	Start(running *sync.WaitGroup) // once; later calls do nothing
	Halt()
}

// loadKeys reads keys that are at hand when the verifier starts.
func (c IssuerConfig) loadKeys(allowed map[string]*jwks.Algorithm) (*jwks.Set, error) {
	switch {
	case c.JWKSFile != "":
		raw, err := readFile(c.JWKSFile)
		if err != nil {
			return nil, fmt.Errorf("jwks-file: %w", err)
		}
		set, err := jwks.Parse(raw, false)
		if err != nil {
			return nil, fmt.Errorf("jwks-file %s: %w", c.JWKSFile, err)
		}
		return set, nil
	case len(c.JWKS) > 0:
		set, err := jwks.Parse(c.JWKS, false)
		if err != nil {
			return nil, fmt.Errorf("JWKS: %w", err)
		}
		return set, nil
	case c.HS256SecretFile != "":
		secret, err := readFile(c.HS256SecretFile)
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err // without the path: somebody may have put the secret itself there
		}
		if err != nil {
			return nil, fmt.Errorf("hs256-secret-file: use the path of a file that can be read: %w", err)
		}
		return secretSet(jwks.TrimNewline(secret), allowed)
	default:
		return secretSet(append([]byte(nil), c.HS256Secret...), allowed)
	}
}

func secretSet(secret []byte, allowed map[string]*jwks.Algorithm) (*jwks.Set, error) {
	if err := jwks.CheckSecret(secret, allowed); err != nil {
		return nil, err
	}
	return jwks.NewSet([]*jwks.Key{jwks.NewSecretKey(secret)})
}

// readFile reads a small file whole; no key set is larger than maxJWKSBytes.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > jwks.MaxBytes {
		return nil, fmt.Errorf("the file is larger than %d bytes", jwks.MaxBytes)
	}
	return os.ReadFile(path)
}

// key finds the key for a token. It never waits: a kid that is not in a set
// from a URL starts a refresh in the background, and the error then is
// ErrNotReady too, unless the token claims to be older than the set, which
// would then have to have its key. That claim is not verified yet; who lies
// only chooses between two refusals.
func (t *trusted) key(h header, a *jwks.Algorithm, issued rescind.Millis) (*jwks.Key, *jwks.Set, error) {
	set := t.keys()
	if set == nil {
		return nil, nil, refuse(errKeysPending, "key", "the keys of the issuer have not been loaded yet")
	}
	k, err := set.Find(h.kid, h.alg, a)
	switch {
	case errors.Is(err, ErrAlgorithm):
		return nil, nil, refuse(err, "key", "the key is not for the algorithm of the token")
	case err != nil && t.remote != nil && t.remote.Outdated(issued):
		return nil, nil, refuse(errKeysPending, "key", "the key is not known yet; the keys of the issuer are being fetched")
	case err != nil:
		return nil, nil, refuse(err, "key", "no key of the issuer has the kid of the token, or fits if it has none")
	}
	return k, set, nil
}
