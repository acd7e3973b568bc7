package httpapi

import (
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"
)

// keyOf returns the key function for a published JWK Set.
func keyOf(t testing.TB, set []byte) jwt.Keyfunc {
	t.Helper()
	var all jose.JSONWebKeySet
	if err := json.Unmarshal(set, &all); err != nil {
		t.Fatal(err)
	}
	return func(tok *jwt.Token) (any, error) {
		kid, _ := tok.Header["kid"].(string)
		for _, k := range all.Key(kid) {
			return k.Key, nil
		}
		return nil, jwt.ErrTokenUnverifiable
	}
}
