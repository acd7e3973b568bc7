package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/bcrypt"
)

// readList reads the YAML list in a file, or nothing if path is empty. Errors
// never repeat its content.
func readList[T any](key, path string) ([]T, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	var list []T
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&list); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %s is not a YAML list whose entries have the fields that 'rescind serve -h' names", key, path)
	}
	return list, nil
}

// keysHash prints what a file keeps of a secret.
func keysHash(_ context.Context, e env) error {
	flags := newFlags(e, "keys hash", "keys hash --for admin|client\n\nReads a secret from standard input and prints its hash: sha256 for admin.tokens-file,\nsecret-hash for oauth.clients-file.")
	use := flags.String("for", "", "admin or client")
	if err := parse(flags, e, 0); err != nil {
		return err
	}
	secret, err := readToken(e, "")
	if err != nil {
		return err
	}
	switch *use {
	case "admin":
		sum := sha256.Sum256([]byte(secret))
		_, err = fmt.Fprintln(e.stdout, hex.EncodeToString(sum[:]))
	case "client":
		var hash []byte
		if hash, err = bcrypt.GenerateFromPassword([]byte(secret), bcrypt.DefaultCost); err != nil {
			return usage("keys hash: the secret has %d bytes; use at most 72", len(secret))
		}
		_, err = fmt.Fprintf(e.stdout, "%s\n", hash)
	default:
		return usage("keys hash: say --for admin or --for client")
	}
	return err
}
