package ssf

import "github.com/go-json-experiment/json/jsontext"

// Refusal says why an event was refused: the error of RFC 8935, section 2.3,
// that RFC 8936 shares. Its code is one of [Codes].
type Refusal struct {
	Code        string `json:"err"`
	Description string `json:"description"`
}

func (r *Refusal) Error() string { return r.Description }

// Codes are those that RFC 8935, section 2.4, registers.
var Codes = []string{"invalid_request", "invalid_key", "invalid_issuer", "invalid_audience", "authentication_failed", "access_denied"}

// pollRequest is what a recipient sends (RFC 8936, section 2.2). Members that are
// left out have their defaults: no bound, and wait for events.
type pollRequest struct {
	MaxEvents         *int               `json:"maxEvents,omitempty"`
	ReturnImmediately bool               `json:"returnImmediately,omitzero"`
	Ack               []string           `json:"ack,omitempty"`
	SetErrs           map[string]Refusal `json:"setErrs,omitempty"`
}

// pollResponse is the answer (section 2.3). A value of Sets should be a string;
// one that is none must not hide the others.
type pollResponse struct {
	Sets          map[string]jsontext.Value `json:"sets"`
	MoreAvailable bool                      `json:"moreAvailable,omitzero"`
}
