package window

import (
	"fmt"
	"strconv"
	"strings"

	"rescind"
	"rescind/bench/ids"
)

// Mix says by which scope how many of the tokens are revoked.
type Mix struct {
	Scopes []rescind.Scope // one for each part of the sum of the weights
	Text   string
}

// mixable are the scopes that name a token or its user. Revoking a client or a
// key would end every token of the bench at once.
var mixable = map[string]rescind.Scope{"jti": rescind.ScopeJTI, "sid": rescind.ScopeSID, "sub": rescind.ScopeSub}

// ParseMix reads "jti=8,sid=1,sub=1".
func ParseMix(text string) (Mix, error) {
	m := Mix{Text: text}
	for part := range strings.SplitSeq(text, ",") {
		name, weight, _ := strings.Cut(part, "=")
		scope, known := mixable[name]
		n, err := strconv.Atoi(weight)
		if !known || err != nil || n < 0 || n > 1000 {
			return Mix{}, fmt.Errorf("scopes: %q is not one of jti, sid and sub with a weight up to 1000: jti=8,sid=1,sub=1", part)
		}
		for range n {
			m.Scopes = append(m.Scopes, scope)
		}
	}
	if len(m.Scopes) == 0 {
		return Mix{}, fmt.Errorf("scopes: the weights of %q are all 0", text)
	}
	return m, nil
}

// Key returns what revokes the i-th token, of the scopes in turn.
func (m Mix) Key(i int, t rescind.Token) rescind.Key {
	scope := rescind.ScopeJTI
	if len(m.Scopes) > 0 {
		scope = m.Scopes[ids.Scramble(uint64(i))%uint64(len(m.Scopes))]
	}
	k := rescind.Key{Scope: scope, Issuer: t.Issuer, ID: t.ID}
	switch scope {
	case rescind.ScopeSID:
		k.ID = t.Session
	case rescind.ScopeSub:
		k.ID = t.Subject
	}
	return k
}
