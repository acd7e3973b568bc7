package token

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"go.uber.org/goleak"

	"rescind"
	"rescind/token/jwks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testIssuer   = "https://issuer.example"
	testAudience = "https://api.example"
	testSecret   = "k3Q9zT7vW1xY5bN8mR2pL6dF4hJ0sGcU+eA/iOo=" // of no other use
)

// epoch is the time on the clock of tests that don't use synctest.
var epoch = time.Unix(1_800_000_000, 0)

func atEpoch() time.Time { return epoch }

// node is the obvious Checker and Revoker: a map, and the join of package
// rescind.
type node struct {
	now func() time.Time

	mu       sync.Mutex
	records  map[rescind.Key]rescind.Record
	override rescind.Verdict // answers every check that finds nothing, if not Unknown
	fail     error           // fails every Revoke without storing
	after    error           // fails every Revoke after storing
}

func newNode(now func() time.Time) *node {
	return &node{now: now, records: make(map[rescind.Key]rescind.Record), override: rescind.Valid}
}

func (n *node) Check(t rescind.Token) rescind.Verdict {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, scope := range rescind.Scopes() {
		id := t.Value(scope)
		if id == "" {
			continue
		}
		if scope == rescind.ScopeIss {
			id = ""
		}
		r, ok := n.records[rescind.Key{Scope: scope, Issuer: t.Issuer, ID: id}]
		if ok && r.Covers(t.IssuedAt) {
			return rescind.Revoked
		}
	}
	return n.override
}

func (n *node) Revoke(_ context.Context, r rescind.Revocation, _ rescind.Ack) (rescind.Receipt, error) {
	if err := r.Key.Validate(); err != nil {
		return rescind.Receipt{}, err
	}
	issuedBefore, expiresAt, err := r.Times(n.now(), DefaultMaxLifetime)
	if err != nil {
		return rescind.Receipt{}, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fail != nil {
		return rescind.Receipt{}, n.fail
	}
	n.records[r.Key] = n.records[r.Key].Join(rescind.Record{IssuedBefore: issuedBefore, ExpiresAt: expiresAt})
	return rescind.Receipt{IssuedBefore: issuedBefore, ExpiresAt: expiresAt}, n.after
}

// revoke is Revoke for tests that expect it to work.
func (n *node) revoke(t testing.TB, r rescind.Revocation) {
	t.Helper()
	if _, err := n.Revoke(t.Context(), r, rescind.AckDefault); err != nil {
		t.Fatal(err)
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// signHS returns a token of exactly these header and payload bytes, signed with
// testSecret.
func signHS(header, payload string) string {
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	sig, err := jwks.Algorithms["HS256"].Method.Sign(input, []byte(testSecret))
	if err != nil {
		panic(err)
	}
	return input + "." + b64(sig)
}

// sign is signHS for any algorithm and key.
func sign(t testing.TB, alg string, key any, header, payload string) string {
	t.Helper()
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	sig, err := jwks.Algorithms[alg].Method.Sign(input, key)
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(sig)
}

const hsHeader = `{"alg":"HS256"}`

// payload returns claims that every test verifier accepts, with more members
// appended, e.g. `"jti":"a"`.
func payload(more string) string {
	if more != "" {
		more = "," + more
	}
	return fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":"alice","iat":%d,"exp":%d%s}`,
		testIssuer, testAudience, epoch.Unix(), epoch.Add(time.Hour).Unix(), more)
}

func hsIssuer() IssuerConfig {
	return IssuerConfig{
		Issuer: testIssuer, Audience: []string{testAudience},
		Algorithms: []string{"HS256"}, HS256Secret: []byte(testSecret),
	}
}

func jwksIssuer(jwks []byte, algs ...string) IssuerConfig {
	return IssuerConfig{Issuer: testIssuer, Audience: []string{testAudience}, Algorithms: algs, JWKS: jwks}
}

// newVerifier returns a verifier at epoch that trusts issuers; change may alter
// its configuration.
func newVerifier(t testing.TB, n *node, change func(*VerifierConfig), issuers ...IssuerConfig) *Verifier {
	t.Helper()
	if n == nil {
		n = newNode(atEpoch)
	}
	c := VerifierConfig{Issuers: issuers, Checker: n, Now: atEpoch, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if change != nil {
		change(&c)
	}
	v, err := NewVerifier(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// wantError fails unless err is an *Error that matches want. A nil want asks for
// no error.
func wantError(t testing.TB, err, want error) {
	t.Helper()
	if want == nil {
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		return
	}
	if !errors.Is(err, want) {
		t.Fatalf("error is %v; want %v", err, want)
	}
	if _, ok := errors.AsType[*Error](err); !ok {
		t.Fatalf("error is a %T; want an *Error", err)
	}
}

var (
	testECKey  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	testRSAKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// jwk returns a key as a JWK; change may alter it.
func jwk(key any, kid string, change func(*jwks.JWK)) jwks.JWK {
	m := must(jwks.Of(key, kid))
	if change != nil {
		change(&m)
	}
	return m
}

func jwksOf(keys ...jwks.JWK) []byte {
	return must(json.Marshal(map[string]any{"keys": keys}))
}

// current returns the key that signs at the tests' epoch or later.
func (s *KeySet) current() *signingKey { return s.signer(rescind.MillisOf(epoch.Add(24 * time.Hour))) }

// rotate makes a new key sign and drops all others but the newest keep.
func rotate(s *KeySet, keep int) error {
	if _, err := s.RotateNow(epoch, Rotation{}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replaceLocked(s.pairs[:min(keep+1, len(s.pairs))])
}
