package httpapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"rescind"
	"rescind/internal/problem"
	"rescind/token"
)

// Admin is somebody who may use the admin endpoints.
type Admin struct {
	// Name is for the audit log, and unique.
	Name string `yaml:"name"`

	// SHA256 is the SHA-256 digest of the token in hexadecimal. A token is
	// random and not chosen by people, so nothing slower is needed.
	SHA256 string `yaml:"sha256"`
}

// minAdminToken is the shortest admin token in bytes: 16 random ones in
// base64 have 22, and in hex 32.
const minAdminToken = 16

// admins tell operators from anybody else. The zero value admits nobody.
type admins struct {
	fixed []knownAdmin // from Config.AdminToken
	named []knownAdmin // from Config.Admins
	scope string       // Config.AdminScope

	certificates *adminCertificates // nil: none counts

	// on says that the admin endpoints are open to somebody, or were once: then
	// they answer 401 and no longer 403, also when the last has been removed.
	on bool
}

type knownAdmin struct {
	name   string
	digest [sha256.Size]byte
}

// operator is the name of whoever has Config.AdminToken.
const operator = "admin"

func newAdmins(cfg Config, old *admins) (admins, error) {
	named, err := knownAdmins(cfg.Admins)
	if err != nil {
		return admins{}, err
	}
	certificates, err := newAdminCertificates(cfg.AdminCertificates)
	if err != nil {
		return admins{}, err
	}
	next := admins{
		scope: cfg.AdminScope, certificates: certificates,
		on: old.on || cfg.AdminToken != nil || cfg.AdminScope != "" || certificates != nil,
	}
	if cfg.AdminToken != nil {
		if err := checkAdminToken(cfg.AdminToken); err != nil {
			return admins{}, err
		}
		next.fixed = []knownAdmin{{operator, sha256.Sum256(cfg.AdminToken)}}
	}
	return next.with(named), nil
}

// with returns the admins with others for those who are named.
func (ad admins) with(named []knownAdmin) admins {
	ad.named = named
	ad.on = ad.on || len(named) > 0
	return ad
}

func checkAdminToken(secret []byte) error {
	if len(secret) < minAdminToken {
		return fmt.Errorf("httpapi: Config.AdminToken has %d bytes; use at least %d random ones", len(secret), minAdminToken)
	}
	if !isToken68(string(secret)) {
		return errors.New("httpapi: Config.AdminToken can't be sent as a bearer token; use letters, digits and -._~+/ without blanks or a line end")
	}
	return nil
}

func knownAdmins(list []Admin) ([]knownAdmin, error) {
	known := make([]knownAdmin, len(list))
	seen := map[string]bool{operator: true}
	for i, admin := range list {
		digest, err := hex.DecodeString(admin.SHA256)
		switch {
		case admin.Name == "" || seen[admin.Name]:
			return nil, fmt.Errorf("httpapi: admin %d is called %.80q; give each a name of its own, and none %q", i+1, admin.Name, operator)
		case err != nil || len(digest) != sha256.Size:
			return nil, fmt.Errorf("httpapi: admin %.80q has no SHA-256 digest of 64 hexadecimal digits; make one with 'rescind keys hash'", admin.Name)
		}
		seen[admin.Name] = true
		known[i] = knownAdmin{admin.Name, [sha256.Size]byte(digest)}
	}
	return known, nil
}

// who returns the name of the operator whose token raw is. It is hashed first,
// and all are compared, so that neither its length nor the place of the first
// difference shows in the time.
func (ad *admins) who(raw string) (name string, ok bool) {
	admin, ok := ad.find(raw)
	return admin.name, ok
}

func (ad *admins) find(raw string) (found knownAdmin, ok bool) {
	digest := sha256.Sum256([]byte(raw))
	for _, known := range ad.all() {
		if subtle.ConstantTimeCompare(digest[:], known.digest[:]) == 1 {
			found, ok = known, true
		}
	}
	return found, ok
}

// still reports whether admin may still use the admin endpoints.
func (ad *admins) still(admin knownAdmin) bool { return slices.Contains(ad.all(), admin) }

func (ad *admins) all() []knownAdmin {
	return slices.Concat(ad.fixed, ad.named)
}

// isToken68 reports whether s has the syntax that RFC 6750 gives a bearer
// token.
func isToken68(s string) bool {
	const chars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
	s = strings.TrimRight(s, "=")
	return s != "" && strings.Trim(s, chars) == ""
}

// adminOnly admits operators alone. The token counts only in the Authorization
// header, which a browser never adds by itself, so a foreign page can't forge a
// request; it does show certificates by itself, see crossOrigin.
func (a *API) adminOnly(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		terms := a.termsOf(r)
		if !terms.operators {
			problem.AdminOff.Write(w, "operators may ask at the listener of the admin endpoints only")
			return
		}
		if !terms.admins.on {
			problem.AdminOff.Write(w, "this node was started without an admin token, so that nobody may use this endpoint")
			return
		}
		name, challenge, ok := a.admitted(r)
		if !ok {
			var err error
			if name, err = a.scoped(r, terms.admins.scope); err != nil && cannotKnow(err) {
				token.WriteError(w, err, adminRealm)
				return
			}
			ok = err == nil
		}
		if !ok {
			a.adminRefusal(r)
			w.Header().Set("WWW-Authenticate", challenge)
			problem.Admin.Write(w, "the admin token is needed, once, as Authorization: Bearer")
			return
		}
		if !terms.adminLimit.allow(name) {
			a.tooMany(w)
			return
		}
		r = withCaller(r, name)
		next(w, r.WithContext(rescind.AsAdministrator(r.Context())))
	}
}

// withCaller returns r with the name of who makes it.
func withCaller(r *http.Request, name string) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, name))
}

type callerKey struct{}

// callerOf returns the name of the operator or client that makes request r, or
// "" where a token is all that is known of it.
func callerOf(r *http.Request) string {
	name, _ := r.Context().Value(callerKey{}).(string)
	return name
}

const (
	adminRealm     = "rescind-admin"
	adminChallenge = `Bearer realm="` + adminRealm + `"`
)

// scoped returns the subject of an access token whose scope makes its holder an
// operator.
func (a *API) scoped(r *http.Request, scope string) (name string, err error) {
	if scope == "" {
		return "", token.ErrScope
	}
	raw, err := token.Bearer(r)
	if err != nil {
		return "", err
	}
	verified, err := a.cfg.Verifier.Verify(raw)
	if err != nil {
		return "", err
	}
	if err := (token.Requirement{Scope: []string{scope}}).Check(verified); err != nil {
		return "", err
	}
	if verified.Token.Subject == "" {
		return "", token.ErrClaims // nobody to write into the audit log
	}
	return verified.Token.Issuer + " " + verified.Token.Subject, nil
}

// admitted returns which operator's token r carries, or else whose certificate its
// connection shows; if it is none's, challenge is the WWW-Authenticate to answer
// with.
func (a *API) admitted(r *http.Request) (name, challenge string, ok bool) {
	terms := a.termsOf(r)
	raw, err := token.Bearer(r)
	if err == nil && terms.operators {
		if name, ok = terms.admins.who(raw); ok {
			return name, "", true
		}
	}
	if name, bad := terms.certified(r); bad == nil {
		return name, "", true
	}
	if errors.Is(err, token.ErrNoToken) {
		return "", adminChallenge, false // without credentials no error code is given
	}
	return "", adminChallenge + `, error="invalid_token"`, false
}

// adminRefusal counts a refusal, and logs one a second.
func (a *API) adminRefusal(r *http.Request) {
	a.metrics.adminRefused.Inc()
	if now := time.Now().Unix(); a.refusalLogged.Swap(now) != now {
		a.log.LogAttrs(r.Context(), slog.LevelWarn, "admin request refused", slog.String("endpoint", r.Pattern), slog.String("remote", a.remote(r)))
	}
}
