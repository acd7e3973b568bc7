package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"text/tabwriter"
	"time"
)

// explanation is what the tables show of POST /v1/explain.
type explanation struct {
	Result, Reason string
	Status         int
	Steps          []struct{ Check, Asks, Outcome string }
	Scopes         []struct {
		Scope, Value, Outcome, Why string
		IssuedBefore               *time.Time `json:"issued_before"`
		ExpiresAt                  *time.Time `json:"expires_at"`
	}
}

// explain asks why a token is accepted or refused, and prints it step by step and
// scope by scope. The exit code is that of the verdict.
func (c *client) explain(ctx context.Context, e env, raw string) error {
	status, answer, err := c.do(ctx, http.MethodPost, "/v1/explain", c.admin, map[string]string{"token": raw})
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return problemOf(status, answer)
	}
	var v explanation
	if err := decodeAnswer(answer, &v); err != nil {
		return fmt.Errorf("read the node's answer: %w", err)
	}
	if c.json {
		if _, err := e.stdout.Write(legibleJSON(answer)); err != nil {
			return err
		}
	} else if err := v.print(e); err != nil {
		return err
	}
	switch v.Status {
	case http.StatusOK:
		return nil
	case http.StatusServiceUnavailable:
		return &exitError{code: exitStale}
	default:
		return &exitError{code: exitRefused}
	}
}

func (v explanation) print(e env) error {
	w := tabwriter.NewWriter(e.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "%s: %s\n\nSTEP\tOUTCOME\tASKS\n", v.Result, v.Reason)
	for _, s := range v.Steps {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Check, s.Outcome, s.Asks)
	}
	if len(v.Scopes) > 0 {
		fmt.Fprint(w, "\nSCOPE\tVALUE\tOUTCOME\tISSUED BEFORE\tUNTIL\tWHY\n")
	}
	for _, s := range v.Scopes {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", s.Scope, cmp.Or(s.Value, "-"), s.Outcome, instant(s.IssuedBefore), instant(s.ExpiresAt), s.Why)
	}
	return w.Flush()
}

func instant(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.RFC3339)
}
