package httpapi

import (
	"testing"

	"github.com/MicahParks/jwkset"
	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"
)

// keyOf returns the key function for a published JWK Set.
func keyOf(t testing.TB, set []byte) jwt.Keyfunc {
	t.Helper()
	var all jwkset.JWKSMarshal
	if err := json.Unmarshal(set, &all); err != nil {
		t.Fatal(err)
	}
	return func(tok *jwt.Token) (any, error) {
		for _, m := range all.Keys {
			if m.KID == tok.Header["kid"] {
				key, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
				return key.Key(), err
			}
		}
		return nil, jwt.ErrTokenUnverifiable
	}
}
