package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"rescind"
	"rescind/token"
)

// keyFile is a file that 'keys generate' makes where there is none.
type keyFile struct {
	name, what string
	mode       os.FileMode
	content    func(dir string) ([]byte, error)
}

func keyFiles() []keyFile {
	return []keyFile{
		{"cluster.key", "seals gossip and NATS and keys the digests; the same on every node, for the life of the data", 0o600, func(string) ([]byte, error) {
			return []byte(base64.StdEncoding.EncodeToString(random(32)) + "\n"), nil
		}},
		{"admin.token", "authorises the admin endpoints", 0o600, func(string) ([]byte, error) {
			return []byte(rand.Text() + "\n"), nil
		}},
		{"jwks.json", "the demo issuer's public keys", 0o644, demoJWKS},
		{"issuers.yaml", "trusts the demo issuer; the value of tokens.issuers", 0o644, func(dir string) ([]byte, error) {
			return fmt.Appendf(nil, "- issuer: %s\n  algorithms: [ES256]\n  jwks-file: %s\n", demoIssuer, filepath.Join(dir, "jwks.json")), nil
		}},
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

// issuerFile holds the demo issuer's private keys.
const issuerFile = "issuer.jwks"

func demoJWKS(dir string) ([]byte, error) {
	keys, err := devKeys(filepath.Join(dir, issuerFile))
	if err != nil {
		return nil, err
	}
	return keys.JWKS()
}

func runKeys(ctx context.Context, e env) error {
	verbs := map[string]func(context.Context, env) error{
		"generate": keysGenerate, "rotate": keysRotate, "list": keysList, "token": keysToken, "admin": keysAdmin, "hash": keysHash,
	}
	if len(e.args) > 0 {
		if verb := verbs[e.args[0]]; verb != nil {
			e.args = e.args[1:]
			return verb(ctx, e)
		}
	}
	return usage("keys: use 'keys generate', 'keys rotate', 'keys list', 'keys token', 'keys admin' or 'keys hash'; -h shows the flags of each")
}

// keysGenerate makes the missing files and overwrites none.
func keysGenerate(_ context.Context, e env) error {
	flags := newFlags(e, "keys generate", "keys generate [--dir FOLDER]")
	dir := flags.String("dir", "keys", "folder for the files")
	if err := parse(flags, e, 0); err != nil {
		return err
	}
	if err := os.MkdirAll(*dir, 0o700); err != nil {
		return fmt.Errorf("make the folder for keys: %w", err)
	}
	for _, f := range keyFiles() {
		path := filepath.Join(*dir, f.name)
		if _, err := os.Stat(path); err == nil {
			fmt.Fprintf(e.stderr, "kept  %s\n", path)
			continue
		}
		content, err := f.content(*dir)
		if err != nil {
			return fmt.Errorf("make %s: %w", f.name, err)
		}
		if err := writeNew(path, content, f.mode); err != nil {
			return err
		}
		fmt.Fprintf(e.stderr, "made  %s: %s\n", path, f.what)
	}
	if _, err := devKeys(filepath.Join(*dir, oauthFile)); err != nil {
		return fmt.Errorf("make %s: %w", oauthFile, err)
	}
	fmt.Fprintf(e.stderr, "there %s: signs introspection; the value of oauth.key-file\n", filepath.Join(*dir, oauthFile))
	return nil
}

// oauthFile holds the keys that sign introspection.
const oauthFile = "oauth.jwks"

// writeNew writes a file that must not exist yet. It is complete or not there.
func writeNew(path string, content []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// keysAdmin prints the admin token.
func keysAdmin(_ context.Context, e env) error {
	flags := newFlags(e, "keys admin", "keys admin [--dir FOLDER]")
	dir := flags.String("dir", "keys", "folder of 'keys generate'")
	if err := parse(flags, e, 0); err != nil {
		return err
	}
	admin, err := os.ReadFile(filepath.Join(*dir, "admin.token"))
	if err != nil {
		return fmt.Errorf("read the admin token: %w", err)
	}
	_, err = e.stdout.Write(admin)
	return err
}

// keysToken prints an access token of the demo issuer.
func keysToken(ctx context.Context, e env) error {
	flags := newFlags(e, "keys token", "keys token --user NAME [--device NAME] [--dir FOLDER]")
	dir := flags.String("dir", "keys", "folder of 'keys generate'")
	user := flags.String("user", "", "subject of the token")
	device := flags.String("device", "", "device, for people")
	life := flags.Duration("lifetime", time.Hour, "how long the token is valid")
	if err := parse(flags, e, 0); err != nil {
		return err
	}
	if *user == "" {
		return usage("keys token: name a subject with --user")
	}
	keys, err := token.LoadKeySet(filepath.Join(*dir, issuerFile))
	if err != nil {
		return err
	}
	issuer, err := token.NewIssuer(token.SignerConfig{
		Issuer: demoIssuer, Keys: keys, AccessLifetime: *life, Checker: unconnected{}, Revoker: unconnected{},
	})
	if err != nil {
		return err
	}
	options := token.LoginOptions{ClientID: "demo"}
	if *device != "" {
		options.Claims = map[string]any{"device": *device}
	}
	pair, err := issuer.Login(ctx, *user, options)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.stdout, pair.AccessToken)
	return err
}

// unconnected is what an issuer without a node knows of revocations: nothing.
// Its tokens are dated now, and so are revoked where their subject has been
// logged out up to a later time.
type unconnected struct{}

func (unconnected) Check(rescind.Token) rescind.Verdict { return rescind.Valid }

func (unconnected) Revoke(context.Context, rescind.Revocation, rescind.Ack) (rescind.Receipt, error) {
	return rescind.Receipt{}, rescind.ErrNotReady
}
