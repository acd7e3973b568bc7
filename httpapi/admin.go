package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"rescind/token"
)

// minAdminToken is the shortest admin token in bytes: 16 random ones in
// base64 have 22, and in hex 32.
const minAdminToken = 16

// admin tells the operator's token from any other. The zero value admits
// nobody.
type admin struct {
	on     bool
	digest [sha256.Size]byte

	// logged is the second of the last log line about a refusal: guessing must
	// be visible, yet not fill the disk.
	logged atomic.Int64
}

// set takes the token, or turns the admin endpoints off if it is nil.
func (ad *admin) set(secret []byte) error {
	if secret == nil {
		return nil
	}
	if len(secret) < minAdminToken {
		return fmt.Errorf("httpapi: Config.AdminToken has %d bytes; use at least %d random ones", len(secret), minAdminToken)
	}
	if !isToken68(string(secret)) {
		return errors.New("httpapi: Config.AdminToken can't be sent as a bearer token; use letters, digits and -._~+/ without blanks or a line end")
	}
	ad.on, ad.digest = true, sha256.Sum256(secret)
	return nil
}

// is reports whether raw is the operator's token. Both are hashed first, so that
// neither the length nor the place of the first difference shows in the time.
func (ad *admin) is(raw string) bool {
	digest := sha256.Sum256([]byte(raw))
	return ad.on && subtle.ConstantTimeCompare(digest[:], ad.digest[:]) == 1
}

// isToken68 reports whether s has the syntax that RFC 6750 gives a bearer
// token.
func isToken68(s string) bool {
	const chars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
	s = strings.TrimRight(s, "=")
	return s != "" && strings.Trim(s, chars) == ""
}

// adminOnly admits the operator alone. The token counts only in the
// Authorization header, which a browser never adds by itself: there is no
// cookie, so a foreign page can't forge a request.
func (a *API) adminOnly(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !a.admin.on {
			kindAdminOff.write(w, "this node was started without an admin token, so that nobody may use this endpoint")
			return
		}
		if challenge, ok := a.admitted(r); !ok {
			w.Header().Set("WWW-Authenticate", challenge)
			kindAdmin.write(w, "the admin token is needed, once, as Authorization: Bearer")
			return
		}
		next(w, r)
	}
}

const adminChallenge = `Bearer realm="rescind-admin"`

// admitted reports whether r carries the operator's token; if not, challenge
// is the WWW-Authenticate to answer with.
func (a *API) admitted(r *http.Request) (challenge string, ok bool) {
	raw, err := token.Bearer(r)
	if err == nil && a.admin.is(raw) {
		return "", true
	}
	a.metrics.adminRefused.Inc()
	if now := time.Now().Unix(); a.admin.logged.Swap(now) != now {
		a.log.LogAttrs(r.Context(), slog.LevelWarn, "admin request refused", slog.String("endpoint", r.Pattern), slog.String("remote", a.remote(r)))
	}
	if errors.Is(err, token.ErrNoToken) {
		return adminChallenge, false // without credentials no error code is given
	}
	return adminChallenge + `, error="invalid_token"`, false
}
