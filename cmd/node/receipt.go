package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// receiptView is what the table shows of a receipt.
type receiptView struct {
	Scope, Digest, Version string
	IssuedBefore           *time.Time `json:"issued_before"`
	ExpiresAt              time.Time  `json:"expires_at"`
	Confirmed              bool
	Acknowledged           []struct {
		Node string
		MS   float64
	}
	Missing []string
	Note    string
}

func (r receiptView) print(to io.Writer) error {
	before := "any time"
	if r.IssuedBefore != nil {
		before = r.IssuedBefore.Format(time.RFC3339)
	}
	nodes := make([]string, 0, len(r.Acknowledged))
	for _, a := range r.Acknowledged {
		nodes = append(nodes, fmt.Sprintf("%s (%.1f ms)", a.Node, a.MS))
	}
	w := tabwriter.NewWriter(to, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "revoked\t%s %s\nissued before\t%s\nuntil\t%s\nversion\t%s\n", r.Scope, r.Digest, before, r.ExpiresAt.Format(time.RFC3339), r.Version)
	fmt.Fprintf(w, "acknowledged by\t%s\nmissing\t%s\n", cmp.Or(strings.Join(nodes, ", "), "this node"), cmp.Or(strings.Join(r.Missing, ", "), "-"))
	if !r.Confirmed {
		fmt.Fprint(w, "note\tfewer nodes than asked for have acknowledged; it stands and goes on spreading\n")
	}
	if r.Note != "" {
		fmt.Fprintf(w, "note\t%s\n", r.Note)
	}
	return w.Flush()
}
