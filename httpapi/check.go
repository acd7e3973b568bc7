package httpapi

import (
	"errors"
	"net/http"
	"strings"

	"rescind"
	"rescind/internal/problem"
	"rescind/token"
)

// Canonical names of the headers that tell a proxy whose token it was.
const (
	headerIssuer  = "X-Auth-Issuer"
	headerSubject = "X-Auth-Subject"
	headerSession = "X-Auth-Session"
	headerTokenID = "X-Auth-Token-Id" // #nosec G101 -- the name of a header
)

// check answers a proxy that asks before it forwards a request: nginx
// auth_request, Caddy forward_auth, Traefik ForwardAuth, Envoy ext_authz. It
// takes any method, because some of them repeat the client's, and never reads
// the body, which may be the client's upload.
func (a *API) check(w http.ResponseWriter, r *http.Request) {
	verified, err := a.Judge(r.Context(), Question{
		Authorization: r.Header["Authorization"],
		Version:       r.Header[token.VersionHeader],
		MaxStaleness:  r.Header[token.MaxStalenessHeader],
		Require:       func() (token.Requirement, error) { return requirementOf(r.URL) },
	})
	if err != nil {
		a.refuseCheck(w, r, err)
		return
	}
	identify(w.Header(), &verified.Token)
	w.WriteHeader(http.StatusOK)
}

// refuseCheck answers as everywhere, but not 400 for an odd token: nginx knows
// 401 and 403 for "no" and takes everything else for a failure of this node.
// A Rescind header or a parameter that can't be read is no fault of the token,
// and does get 400.
func (a *API) refuseCheck(w http.ResponseWriter, r *http.Request, err error) {
	if _, invalid := errors.AsType[*rescind.InvalidError](err); invalid {
		a.refuse(w, r, err)
		return
	}
	if token.Status(err) == http.StatusBadRequest {
		w.Header().Set("WWW-Authenticate", token.Challenge(err, realm))
		problem.Token.Write(w, reasonOf(err))
		return
	}
	a.refuse(w, r, err)
}

// identify sets all four headers, empty where the token lacks the claim. A
// header left out would let the client's own X-Auth-Session pass through those
// proxies that only overwrite what the answer has.
func identify(h http.Header, t *rescind.Token) {
	id := t.ID
	if strings.HasPrefix(id, rescind.DerivedIDPrefix) {
		id = "" // ours, not the issuer's; nobody outside can use it
	}
	values := [...]string{headerValue(t.Issuer), headerValue(t.Subject), headerValue(t.Session), headerValue(id)}
	h[headerIssuer] = values[0:1:1]
	h[headerSubject] = values[1:2:2]
	h[headerSession] = values[2:3:3]
	h[headerTokenID] = values[3:4:4]
}

// headerValue percent-encodes what a header can't carry. The encoding is
// injective, as % itself is encoded: no subject can pass for another one. A
// comma is encoded, too, since some readers split values there.
func headerValue(s string) string {
	n := 0
	for i := range len(s) {
		if !headerSafe(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, len(s)+2*n)
	for i := range len(s) {
		if c := s[i]; headerSafe(c) {
			out = append(out, c)
		} else {
			out = append(out, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(out)
}

func headerSafe(c byte) bool {
	return c > ' ' && c < 0x7f && c != '%' && c != ','
}
