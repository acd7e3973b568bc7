package httpapi

import (
	"time"

	"rescind"
)

// receiptJSON is a [rescind.Receipt] as clients read it.
type receiptJSON struct {
	Scope        string     `json:"scope"`
	Digest       string     `json:"digest"`
	IssuedBefore *time.Time `json:"issued_before"` // null: whenever it was issued
	ExpiresAt    time.Time  `json:"expires_at"`
	Version      string     `json:"version"`

	// Confirmed is false where fewer nodes than asked for acknowledged in
	// time. The revocation stands all the same, and Note says so.
	Confirmed    bool      `json:"confirmed"`
	Acknowledged []ackJSON `json:"acknowledged"`
	Missing      []string  `json:"missing"`
	WindowMS     *float64  `json:"window_ms"` // null: no other node has acknowledged
	Note         string    `json:"note,omitempty"`
}

type ackJSON struct {
	Node string  `json:"node"`
	MS   float64 `json:"ms"`
}

const unconfirmedNote = "the revocation is durable on this node and goes on spreading, but fewer nodes than asked for acknowledged it in time; nothing is rolled back"

func newReceipt(r rescind.Receipt, confirmed bool) receiptJSON {
	out := receiptJSON{
		Scope:        r.Digest.Scope().String(),
		Digest:       r.Digest.String(),
		ExpiresAt:    r.ExpiresAt.Time(),
		Version:      r.Version,
		Confirmed:    confirmed,
		Acknowledged: make([]ackJSON, 0, len(r.Acknowledged)),
		Missing:      append([]string{}, r.Missing...),
		WindowMS:     millisOrNull(r.Window(), len(r.Acknowledged) > 0),
	}
	if t := r.IssuedBefore.Time(); !t.IsZero() {
		out.IssuedBefore = &t
	}
	for _, a := range r.Acknowledged {
		out.Acknowledged = append(out.Acknowledged, ackJSON{Node: a.Node, MS: millis(a.After)})
	}
	if !confirmed {
		out.Note = unconfirmedNote
		if r.Reason != "" {
			out.Note = r.Reason + "; " + unconfirmedNote
		}
	}
	return out
}
