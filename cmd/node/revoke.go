package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// runRevoke revokes by key, or the token on standard input.
func runRevoke(ctx context.Context, e env) error {
	fs := newFlags(e, "revoke", "revoke --scope SCOPE --id ID [--iss ISSUER] [--ack all] | revoke --token FILE | revoke --file FILE")
	flags := addClientFlags(fs, adminAddr)
	body := map[string]any{}
	for name, help := range map[string]string{
		"scope": "jti, sid, sub, client_id, kid or iss", "id": "identifier in that scope", "iss": "issuer; may be left out if the node has one",
		"issued_before": "RFC 3339; default now for sub and iss, and for ever for the others", "expires_at": "RFC 3339; default the maximum token lifetime from now", "reason": "for the audit log",
	} {
		fs.Func(name, help, func(v string) error { body[name] = v; return nil })
	}
	fs.BoolFunc("withdraw", "with --scope iss --iss ISSUER: refuse every token of the issuer for the maximum token lifetime, and drop its other revocations", func(string) error {
		body["withdraw"] = true
		return nil
	})
	file := fs.String("token", "", "file with the token to revoke, - for standard input")
	ack := fs.String("ack", "", "local, majority, all or a number of other nodes")
	timeout := fs.Duration("timeout", 2*time.Second, "how long to wait for other nodes")
	bulk := fs.String("file", "", "file with one revocation a line, as JSON with the names of these flags; - for standard input")
	if err := parse(fs, e, 0); err != nil {
		return err
	}
	if *file != "" {
		raw, err := readToken(e, *file)
		if err != nil {
			return err
		}
		body["token"] = raw
	}
	c, err := flags.client()
	if err != nil {
		return err
	}
	query := url.Values{"timeout": {timeout.String()}}
	if *ack != "" {
		query.Set("ack", *ack)
	}
	if *bulk != "" {
		return c.revokeFile(ctx, e, *bulk, query)
	}
	status, answer, err := c.do(ctx, http.MethodPost, "/v1/revocations?"+query.Encode(), c.admin, body)
	if err != nil {
		return err
	}
	if status != http.StatusCreated && status != http.StatusAccepted {
		return problemOf(status, answer)
	}
	if c.json {
		_, err = fmt.Fprintf(e.stdout, "%s\n", legibleJSON(bytes.TrimSpace(answer)))
		return err
	}
	var receipt receiptView
	if err := decodeAnswer(answer, &receipt); err != nil {
		return fmt.Errorf("read the node's answer: %w", err)
	}
	return receipt.print(e.stdout)
}
