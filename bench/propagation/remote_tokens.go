package propagation

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"rescind"
	"rescind/token"
)

// remoteLife is how long what the bench revokes is remembered, so that it does
// not fill the cluster that it measures.
const remoteLife = 15 * time.Minute

// mint makes tokens that the measured cluster accepts, or, without keys, only
// names of tokens that nobody holds.
type mint struct {
	issuer string
	signer *token.Issuer // nil without keys
}

// newMint loads the keys of an issuer that the cluster trusts: the file of 'node
// keys generate', or of the data folder of 'node dev'.
func newMint(keyFile, issuer, audience string) (*mint, error) {
	m := &mint{issuer: issuer}
	if keyFile == "" {
		return m, nil
	}
	if issuer == "" {
		return nil, errors.New("name by --issuer whose key --signing-key-file holds")
	}
	keys, err := token.LoadKeySet(keyFile)
	if err != nil {
		return nil, fmt.Errorf("load --signing-key-file: %w", err)
	}
	cfg := token.SignerConfig{Issuer: issuer, Keys: keys, AccessLifetime: remoteLife, Checker: aloof{}, Revoker: aloof{}}
	if audience != "" {
		cfg.Audience = []string{audience}
	}
	m.signer, err = token.NewIssuer(cfg)
	return m, err
}

// aloof knows of no revocation and makes none: each token has a user of its own.
type aloof struct{}

func (aloof) Check(rescind.Token) rescind.Verdict { return rescind.Valid }

func (aloof) Revoke(context.Context, rescind.Revocation, rescind.Ack) (rescind.Receipt, error) {
	return rescind.Receipt{}, rescind.ErrNotReady
}

// minted is one token and its claims.
type minted struct {
	raw   string // "" without keys
	token rescind.Token
}

func (m *mint) one(ctx context.Context) (minted, error) {
	t := minted{token: rescind.Token{Issuer: m.issuer, ID: "bench-" + rand.Text(), Session: "bench-" + rand.Text(), Subject: "bench-" + rand.Text()}}
	if m.signer == nil {
		return t, nil
	}
	pair, err := m.signer.Login(ctx, t.token.Subject, token.LoginOptions{ClientID: "bench"})
	if err != nil {
		return t, fmt.Errorf("make a token: %w", err)
	}
	var claims struct{ JTI string }
	parts := strings.Split(pair.AccessToken, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[min(1, len(parts)-1)])
	if err == nil {
		err = json.Unmarshal(payload, &claims)
	}
	if err != nil {
		return t, fmt.Errorf("read the token that was just made: %w", err)
	}
	t.raw, t.token.ID, t.token.Session = pair.AccessToken, claims.JTI, pair.SessionID
	return t, nil
}
