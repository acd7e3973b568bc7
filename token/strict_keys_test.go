package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"rescind/token/internal/strict"
	"rescind/token/jwks"
)

// The public keys of RFC 7515 appendix A and RFC 8037 appendix A.2, to be
// misshapen one way at a time.
const (
	ecX   = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
	ecY   = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
	ecKey = `"kty":"EC","crv":"P-256","x":"` + ecX + `","y":"` + ecY + `"`
	edKey = `"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`
)

func TestKeysOfEveryLegalShape(t *testing.T) {
	rsaKey := strings.Trim(rfcRSKey, "{}")
	for name, key := range map[string]string{
		"EC":                         ecKey,
		"EC with everything":         ecKey + `,"kid":"k","use":"sig","alg":"ES256","key_ops":["verify"]`,
		"EC with members of no harm": ecKey + `,"ext":true,"iat":1,"x5t":"AAAA","x5c":["AAAA"]`,
		"P-521":                      strings.Trim(rfcES512Key, "{}"),
		"RSA":                        rsaKey,
		"RSA with alg":               rsaKey + `,"alg":"PS384"`,
		"RSA with exponent 3":        strings.Replace(rsaKey, `"AQAB"`, `"Aw"`, 1),
		"Ed25519":                    edKey,
		"sign and verify":            edKey + `,"key_ops":["sign","verify"]`,
	} {
		for _, lenient := range []bool{false, true} {
			if _, err := jwks.Parse([]byte(`{"keys":[{`+key+`}],"more":1}`), lenient); err != nil {
				t.Errorf("%s, lenient %v: %v", name, lenient, err)
			}
		}
	}
}

// What an RFC forbids is refused wherever it comes from, and not skipped.
func TestKeysOfEveryIllegalShape(t *testing.T) {
	long, _ := strict.DecodeSegment(ecX)
	zero := b64(append([]byte{0}, long...))
	n := strings.TrimSuffix(strings.SplitAfter(rfcRSKey, `"n":"`)[1], `"}`)
	modulus, _ := strict.DecodeSegment(n)
	for name, key := range map[string]string{
		"no kty":                  `"crv":"P-256","x":"` + ecX + `","y":"` + ecY + `"`,
		"kty null":                strings.Replace(ecKey, `"EC"`, "null", 1),
		"kty empty":               strings.Replace(ecKey, `"EC"`, `""`, 1),
		"KTY beside kty":          ecKey + `,"KTY":"RSA"`,
		"member twice":            ecKey + `,"x":"` + ecX + `"`,
		"kid null":                ecKey + `,"kid":null`,
		"kid a number":            ecKey + `,"kid":1`,
		"kid empty":               ecKey + `,"kid":""`,
		"use null":                ecKey + `,"use":null`,
		"use a list":              ecKey + `,"use":["sig"]`,
		"alg empty":               ecKey + `,"alg":""`,
		"alg null":                ecKey + `,"alg":null`,
		"alg none for a key":      ecKey + `,"alg":"HS256"`,
		"alg of another curve":    ecKey + `,"alg":"ES512"`,
		"key_ops a text":          ecKey + `,"key_ops":"verify"`,
		"key_ops null":            ecKey + `,"key_ops":null`,
		"key_ops empty":           ecKey + `,"key_ops":[]`,
		"key_ops twice":           ecKey + `,"key_ops":["verify","verify"]`,
		"key_ops with null":       ecKey + `,"key_ops":["verify",null]`,
		"secret":                  ecKey + `,"d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"`,
		"secret empty":            ecKey + `,"d":""`,
		"secret null":             ecKey + `,"d":null`,
		"secret of RSA":           strings.Trim(rfcRSKey, "{}") + `,"qi":"AQ"`,
		"secret under use enc":    ecKey + `,"use":"enc","d":"AQ"`,
		"symmetric":               `"kty":"oct","k":"` + rfcHSKey + `"`,
		"x with a zero before":    strings.Replace(ecKey, ecX, zero, 1),
		"x without its last byte": strings.Replace(ecKey, ecX, b64(long[:31]), 1),
		"x padded":                strings.Replace(ecKey, ecX, ecX+"=", 1),
		"x in base64":             strings.Replace(ecKey, ecY, strings.ReplaceAll(ecY, "_", "/"), 1),
		"x with a line break":     strings.Replace(ecKey, ecX, ecX[:10]+`\n`+ecX[10:], 1),
		"x with spare bits":       strings.Replace(ecKey, ecX, ecX[:42]+"V", 1),
		"x a number":              strings.Replace(ecKey, `"`+ecX+`"`, "1", 1),
		"no y":                    `"kty":"EC","crv":"P-256","x":"` + ecX + `"`,
		"y off the curve":         strings.Replace(ecKey, ecY, ecX, 1),
		"the point (0, 0)":        `"kty":"EC","crv":"P-256","x":"` + b64(make([]byte, 32)) + `","y":"` + b64(make([]byte, 32)) + `"`,
		"x beyond the field":      `"kty":"EC","crv":"P-256","x":"` + b64(slices.Repeat([]byte{255}, 32)) + `","y":"` + ecY + `"`,
		"another curve's name":    strings.Replace(ecKey, "P-256", "P-384", 1),
		"members of two types":    ecKey + `,"n":"AQAB"`,
		"RSA with x":              strings.Trim(rfcRSKey, "{}") + `,"x":"AQ"`,
		"n with a zero before":    strings.Replace(strings.Trim(rfcRSKey, "{}"), n, b64(append([]byte{0}, modulus...)), 1),
		"e with a zero before":    strings.Replace(strings.Trim(rfcRSKey, "{}"), "AQAB", "AAEAAQ", 1),
		"e of 1":                  strings.Replace(strings.Trim(rfcRSKey, "{}"), "AQAB", "AQ", 1),
		"e of 2":                  strings.Replace(strings.Trim(rfcRSKey, "{}"), "AQAB", "Ag", 1),
		"e of 0":                  strings.Replace(strings.Trim(rfcRSKey, "{}"), "AQAB", "AA", 1),
		"no e":                    strings.Replace(strings.Trim(rfcRSKey, "{}"), `"e":"AQAB",`, "", 1),
		"no n":                    `"kty":"RSA","e":"AQAB"`,
		"Ed25519 of 31 bytes":     `"kty":"OKP","crv":"Ed25519","x":"` + b64(make([]byte, 31)) + `"`,
		"Ed25519 of 33 bytes":     `"kty":"OKP","crv":"Ed25519","x":"` + b64(make([]byte, 33)) + `"`,
		"Ed25519 with y":          edKey + `,"y":"` + ecY + `"`,
		"Ed25519 for HS256":       edKey + `,"alg":"HS256"`,
		"a list":                  `"kty":["EC"]`,
	} {
		t.Run(name, func(t *testing.T) {
			for _, lenient := range []bool{false, true} {
				set := `{"keys":[{` + key + `},{` + strings.Trim(rfcES512Key, "{}") + `,"kid":"good"}]}`
				if _, err := jwks.Parse([]byte(set), lenient); err == nil || errors.Is(err, jwks.ErrForeign) {
					t.Errorf("lenient %v: error is %v", lenient, err)
				}
			}
		})
	}
	for _, set := range []string{`[]`, `null`, `{}`, `{"keys":null}`, `{"keys":{}}`, `{"keys":[null]}`, `{"keys":["EC"]}`, `{"keys":[[]]}`, `{"KEYS":[{` + ecKey + `}]}`, `{` + ecKey + `}`, ``} {
		if _, err := jwks.Parse([]byte(set), true); err == nil {
			t.Errorf("%s is accepted", set)
		}
	}
}

// Under a point of small order, (A, -A) signs anything; the first two verify in
// crypto/ed25519 for every message with a chance of 1 and 1/2.
func TestAttackEd25519KeysOfSmallOrder(t *testing.T) {
	small := []string{
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	}
	other := []string{
		"0100000000000000000000000000000000000000000000000000000000000080", // -0
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = p+1
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = p
		"0200000000000000000000000000000000000000000000000000000000000000", // no x
	}
	for i, s := range slices.Concat(small, other) {
		want := "small order"
		if i >= len(small) {
			want = "not a point"
		}
		key := must(hex.DecodeString(s))
		_, err := jwks.Parse(fmt.Appendf(nil, `{"keys":[{"kty":"OKP","crv":"Ed25519","x":%q}]}`, b64(key)), false)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v does not mention %q", s, err, want)
		}
	}
	for range 50 {
		public, _ := must2(ed25519.GenerateKey(rand.Reader))
		if err := jwks.CheckPublic(public); err != nil {
			t.Fatalf("%x: %v", public, err)
		}
	}
}

func must2[A, B any](a A, b B, err error) (A, B) {
	if err != nil {
		panic(err)
	}
	return a, b
}

// TestAttackMalformedSignatures changes good signatures of every algorithm in
// every way that keeps base64 canonical.
func TestAttackMalformedSignatures(t *testing.T) {
	_, ed := must2(ed25519.GenerateKey(rand.Reader))
	type signer struct {
		key   any
		order *big.Int // of the numbers that a signature consists of; nil: it has none
	}
	signers := map[string]signer{"RS256": {testRSAKey(), nil}, "PS512": {testRSAKey(), nil}, "EdDSA": {ed, nil}}
	for alg, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		signers[alg] = signer{must(ecdsa.GenerateKey(curve, rand.Reader)), curve.Params().N}
	}
	for alg, s := range signers {
		var set []byte
		switch k := s.key.(type) {
		case *ecdsa.PrivateKey:
			set = jwksOf(jwk(&k.PublicKey, "k", nil))
		case ed25519.PrivateKey:
			set = jwksOf(jwk(k.Public(), "k", nil))
		default:
			set = jwksOf(jwk(&testRSAKey().PublicKey, "k", nil))
		}
		v := newVerifier(t, nil, nil, jwksIssuer(set, alg))
		good := sign(t, alg, s.key, `{"alg":"`+alg+`","kid":"k"}`, payload(""))
		dot := strings.LastIndexByte(good, '.')
		sig, _ := strict.DecodeSegment(good[dot+1:])
		if _, err := v.Verify(good); err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		bad := map[string][]byte{
			"one byte short":   sig[:len(sig)-1],
			"one byte longer":  append(slices.Clone(sig), 0),
			"a zero in front":  append([]byte{0}, sig...),
			"first byte gone":  sig[1:],
			"twice":            append(slices.Clone(sig), sig...),
			"all zero":         make([]byte, len(sig)),
			"all one":          slices.Repeat([]byte{255}, len(sig)),
			"first half":       sig[:len(sig)/2],
			"halves exchanged": append(slices.Clone(sig[len(sig)/2:]), sig[:len(sig)/2]...),
			"one bit, first":   flip(sig, 0),
			"one bit, last":    flip(sig, len(sig)-1),
			"one bit, middle":  flip(sig, len(sig)/2),
			"a single zero":    {0},
			"s zero":           append(slices.Clone(sig[:len(sig)/2]), make([]byte, len(sig)/2)...),
			"r zero":           append(make([]byte, len(sig)/2), sig[len(sig)/2:]...),
		}
		if s.order != nil {
			half := len(sig) / 2
			r, ss := new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:])
			put := func(r, s *big.Int) []byte {
				b := make([]byte, 2*half)
				if r.BitLen() > 8*half || s.BitLen() > 8*half {
					return []byte{1}
				}
				r.FillBytes(b[:half])
				s.FillBytes(b[half:])
				return b
			}
			bad["r + n"] = put(new(big.Int).Add(r, s.order), ss)
			bad["s + n"] = put(r, new(big.Int).Add(ss, s.order))
			bad["r = n"] = put(s.order, ss)
			bad["s = n"] = put(r, s.order)
			bad["r = s = 1"] = put(big.NewInt(1), big.NewInt(1))
			bad["numbers one byte longer"] = slices.Concat([]byte{0}, sig[:half], []byte{0}, sig[half:])
		}
		if alg == "EdDSA" {
			bad["s + l"] = addOrder(sig)
		}
		for name, b := range bad {
			_, err := v.Verify(good[:dot+1] + b64(b))
			if !errors.Is(err, ErrSignature) {
				t.Errorf("%s, %s: error is %v", alg, name, err)
			}
		}
		for name, text := range map[string]string{
			"padded": good + "==", "blank": good + " ", "line break": good + "\n", "inside": good[:dot+5] + "\r\n" + good[dot+5:],
			"base64": good[:dot+1] + "+/" + good[dot+3:], "none": good[:dot+1], "a fourth part": good + ".AAAA",
		} {
			if _, err := v.Verify(text); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s, %s: error is %v", alg, name, err)
			}
		}
	}
}

func flip(b []byte, i int) []byte {
	b = slices.Clone(b)
	b[i] ^= 1
	return b
}

// addOrder returns an Ed25519 signature whose s is larger by the order of the
// group: the same number to a careless verifier.
func addOrder(sig []byte) []byte {
	l, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := slices.Clone(sig[32:])
	slices.Reverse(s)
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), l).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return slices.Concat(sig[:32], sum)
}

// A key serves the operations that it names, and no mixture.
func TestKeysForTwoPurposesAreSkipped(t *testing.T) {
	for _, more := range []string{`"key_ops":["verify","encrypt"]`, `"use":"enc"`, `"use":"SIG"`, `"use":"sig","key_ops":["verify","deriveKey"]`} {
		set := []byte(`{"keys":[{` + ecKey + `,` + more + `}]}`)
		if _, err := jwks.Parse(set, false); !errors.Is(err, jwks.ErrForeign) {
			t.Errorf("%s: error is %v", more, err)
		}
	}
}
