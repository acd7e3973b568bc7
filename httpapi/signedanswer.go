package httpapi

import (
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// typeSigned is the type of a signed answer: of its media type after
// "application/", and of its JWT (RFC 9701 section 5).
const typeSigned = "token-introspection+jwt"

// signedAnswer are the claims of one. Nothing of the token stands at the top,
// so that nobody takes the answer for the token.
type signedAnswer struct {
	Iss    string `json:"iss"`
	Aud    string `json:"aud"`
	Iat    int64  `json:"iat"`
	Answer any    `json:"token_introspection"`
}

// answerFunc answers caller with an introspection.
type answerFunc func(w http.ResponseWriter, r *http.Request, caller string, answer any)

var errNotSigned = errors.New("this node does not sign its answers; accept application/json")

// answerFormat returns how the answer to r is to be written: signed if Accept
// names that, else as JSON.
func (a *API) answerFormat(r *http.Request) (answerFunc, error) {
	accept := r.Header.Values("Accept")
	signed := accepts(accept, "application/"+typeSigned)
	switch {
	case signed && a.termsOf(r).signer != nil:
		return a.answerSigned, nil
	case !signed || accepts(accept, "application/json") || accepts(accept, "application/*") || accepts(accept, "*/*"):
		return answerPlain, nil
	}
	return nil, errNotSigned
}

// accepts reports whether the values of Accept name mediaType, other than to
// exclude it.
func accepts(values []string, mediaType string) bool {
	for one := range strings.SplitSeq(strings.Join(values, ","), ",") {
		got, params, err := mime.ParseMediaType(one)
		if err == nil && got == mediaType {
			q, err := strconv.ParseFloat(params["q"], 64)
			return params["q"] == "" || err == nil && q > 0
		}
	}
	return false
}

func answerPlain(w http.ResponseWriter, _ *http.Request, _ string, answer any) {
	writeJSON(w, http.StatusOK, answer)
}

func (a *API) answerSigned(w http.ResponseWriter, r *http.Request, caller string, answer any) {
	terms := a.termsOf(r)
	raw, err := terms.signer.SignJWT(typeSigned, signedAnswer{terms.name, caller, time.Now().Unix(), answer})
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/"+typeSigned)
	h.Set("Content-Length", strconv.Itoa(len(raw)))
	w.Write([]byte(raw))
}
