package jwks

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rescind/token/internal/strict"
)

// Members of a JWK that are read here or must not be there (RFC 7517 section 4,
// RFC 7518 section 6).
var (
	jwkTexts   = []string{"kty", "use", "alg", "kid", "crv", "n", "e", "x", "y"}
	jwkSecrets = []string{"d", "p", "q", "dp", "dq", "qi", "oth"}
	jwkNames   = slices.Concat(jwkTexts, jwkSecrets, []string{"key_ops", "k"})
)

// Split returns the keys of a JWK Set one by one, still as JSON.
func Split(raw []byte) ([]jsontext.Value, error) {
	var doc struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, errors.New(`not a JWK Set: {"keys":[...]} in JSON without duplicate names`)
	}
	return doc.Keys, nil
}

// readJWK reads a key, and refuses what the decoder would pass over: null, empty
// text, names in other letters, secret members without a value. Its errors
// repeat nothing of raw, which may be a private key.
func readJWK(raw jsontext.Value) (m JWK, err error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(raw, &members); err != nil {
		return m, errors.New("not a JWK Set: a key is no JSON object")
	}
	for name, value := range members {
		switch {
		case strict.CaseVariant(name, jwkNames):
			return m, errors.New("a member's name has other letters than the standard's")
		case slices.Contains(jwkSecrets, name):
			return m, errors.New("this is a private key; publish only its public part, and consider it leaked")
		case slices.Contains(jwkTexts, name) && (value.Kind() != '"' || string(value) == `""`):
			return m, fmt.Errorf("its %s is not a text, or empty", name)
		}
	}
	if ops, ok := members["key_ops"]; ok {
		if err := checkKeyOps(ops); err != nil {
			return m, err
		}
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, errors.New("a member has the wrong type")
	}
	return m, nil
}

// checkKeyOps holds key_ops to be a list of different texts (RFC 7517 section
// 4.3).
func checkKeyOps(raw jsontext.Value) error {
	var ops []jsontext.Value
	if err := json.Unmarshal(raw, &ops); err != nil || raw.Kind() != '[' || len(ops) == 0 {
		return errors.New("its key_ops is not a list of texts")
	}
	seen := make(map[string]bool)
	for _, op := range ops {
		var name string
		if op.Kind() != '"' || json.Unmarshal(op, &name) != nil {
			return errors.New("its key_ops is not a list of texts")
		}
		if seen[name] {
			return errors.New("its key_ops names an operation twice")
		}
		seen[name] = true
	}
	return nil
}

// otherOps are operations that a key for signatures does not serve.
var otherOps = []string{
	"encrypt", "decrypt", "wrapKey", "unwrapKey",
	"deriveKey", "deriveBits",
}

// coordinateBytes is the length of x and y (RFC 7518 section 6.2.1.2, RFC 8037
// section 2), however small their values are.
var coordinateBytes = map[string]int{
	"P-256": 32, "P-384": 48, "P-521": 66, "Ed25519": 32,
}

// checkLengths refuses numbers that are not in their one form.
func checkLengths(m JWK) error {
	if size, ok := coordinateBytes[m.Curve]; ok {
		for _, s := range []string{m.X, m.Y} {
			if b, _ := strict.DecodeSegment(s); s != "" && len(b) != size {
				return fmt.Errorf("a coordinate has %d bytes; on this curve it must have %d", len(b), size)
			}
		}
	}
	for _, s := range []string{m.N, m.E} {
		if b, _ := strict.DecodeSegment(s); len(b) > 0 && b[0] == 0 {
			return errors.New("a number begins with a zero byte")
		}
	}
	if m.Type == TypeOKP && m.Y != "" {
		return errors.New("it has members of another kty")
	}
	return nil
}
