package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// runCheck asks a node about the token on standard input or in a file, never
// in an argument, which other users of the machine could read.
func runCheck(ctx context.Context, e env) error {
	fs := newFlags(e, "check", "check [--addr HOST:PORT] [--explain --admin-token-file FILE] [FILE]\n\nReads the token from FILE or standard input. With --explain an operator is told\nwhy, step by step and scope by scope. Exit code: 0 valid, 1 revoked or\ninvalid, 2 usage, 3 unreachable, 4 stale or not ready.")
	flags := addClientFlags(fs)
	explain := fs.Bool("explain", false, "say why, step by step and scope by scope; needs the admin token, and goes to admin.addr if there is one")
	if err := parse(fs, e, 1); err != nil {
		return err
	}
	raw, err := readToken(e, fs.Arg(0))
	if err != nil {
		return err
	}
	if *explain && !given(fs, "addr") {
		*flags.addr = localAddr(adminAddr)
	}
	c, err := flags.client()
	if err != nil {
		return err
	}
	if *explain {
		return c.explain(ctx, e, raw)
	}
	status, header, answer, err := c.exchange(ctx, http.MethodGet, "/v1/check", raw, nil)
	switch {
	case err != nil:
		return err
	case status == http.StatusOK && len(header["X-Auth-Subject"]) == 0:
		return &exitError{exitUnreachable, errors.New("what answers is no Rescind node: it says 200 without saying whose token that is")}
	}
	code, word := exitRefused, "refused"
	switch {
	case status == http.StatusOK:
		code, word = exitOK, "valid"
	case status == http.StatusServiceUnavailable:
		code, word = exitStale, "unknown"
	case status != http.StatusUnauthorized:
		return problemOf(status, answer)
	}
	c.print(e.stdout, map[string]any{"verdict": word, "status": status}, word)
	if code == exitOK {
		return nil
	}
	return &exitError{code, problemOf(status, answer)}
}

func readToken(e env, file string) (string, error) {
	in := e.stdin
	if file != "" && file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", usage("read the token: %v", err)
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, 64<<10))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	if b = bytes.TrimSpace(b); len(b) == 0 {
		return "", usage("there is no token in the input")
	}
	return string(b), nil
}

// runHealthcheck exits with 0 if the node is ready.
func runHealthcheck(ctx context.Context, e env) error {
	fs := newFlags(e, "healthcheck", "healthcheck [--addr HOST:PORT]")
	flags := addClientFlags(fs)
	if err := parse(fs, e, 0); err != nil {
		return err
	}
	c, err := flags.client()
	if err != nil {
		return err
	}
	// It sends nothing that is secret, and the certificate is for the name by
	// which others know this node.
	if t, ok := c.http.Transport.(*http.Transport); ok {
		t.TLSClientConfig.InsecureSkipVerify = true // #nosec G402 -- see above
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	status, answer, err := c.do(ctx, http.MethodGet, "/readyz", "", nil)
	if err == nil && status != http.StatusOK {
		err = &exitError{exitRefused, fmt.Errorf("not ready: %s", legible(string(bytes.TrimSpace(answer))))}
	}
	return err
}
