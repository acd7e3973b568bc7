package token

import (
	"strings"
	"testing"
)

func TestAttackCritAndOtherForms(t *testing.T) {
	v := newVerifier(t, nil, nil, hsIssuer())
	good := signHS(hsHeader, payload(`"jti":"id"`))
	h, rest, _ := strings.Cut(good, ".")
	p, s, _ := strings.Cut(rest, ".")
	lastBit := func(part string) string { // another spelling of the same bytes
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		i := strings.IndexByte(alphabet, part[len(part)-1])
		return part[:len(part)-1] + string(alphabet[i^1])
	}
	if len(s)%4 == 0 {
		t.Fatal("the signature has no spare bits to set")
	}
	refuseAll(t, v, ErrMalformed, map[string]string{
		"crit":               signHS(`{"alg":"HS256","crit":["exp"]}`, payload("")),
		"empty crit":         signHS(`{"alg":"HS256","crit":[]}`, payload("")),
		"b64 false":          signHS(`{"alg":"HS256","b64":false}`, payload("")),
		"b64 true":           signHS(`{"alg":"HS256","b64":true}`, payload("")),
		"JSON serialisation": `{"protected":"` + h + `","payload":"` + p + `","signature":"` + s + `"}`,
		"detached payload":   h + ".." + s,
		"JWE":                h + "." + p + "." + s + "." + p + "." + s,
		"two parts":          h + "." + p,
		"four parts":         good + ".AA",
		"empty":              "",
		"padding":            good + "=",
		"standard alphabet":  h + "." + p + "." + "+/" + s[2:],
		"line break inside":  h + "." + p + "." + s[:10] + "\n" + s[10:],
		"line break after":   good + "\n",
		"blank before":       " " + good,
		"spare bits":         h + "." + p + "." + lastBit(s),
		"bytes beyond ASCII": h + "." + p + "." + "\xff" + s[1:],
		"trailing JSON":      signHS(hsHeader+`{}`, payload("")),
		"header is an array": signHS(`["HS256"]`, payload("")),
		"header is null":     signHS(`null`, payload("")),
		"typ is a number":    signHS(`{"alg":"HS256","typ":1}`, payload("")),
	})
}

func TestAttackSizeAndDepth(t *testing.T) {
	v := newVerifier(t, nil, nil, hsIssuer())
	refuseAll(t, v, ErrTooLarge, map[string]string{
		"dots":       strings.Repeat(".", 1<<20),
		"giant":      signHS(hsHeader, payload(`"x":"`+strings.Repeat("a", 1<<20)+`"`)),
		"many names": signHS(hsHeader, payload(strings.Repeat(`"a":1,`, 2000)+`"b":1`)),
	})
	refuseAll(t, v, ErrMalformed, map[string]string{"fewer dots": strings.Repeat(".", DefaultMaxTokenBytes)})
	nested := func(n int) string { return payload(`"x":` + strings.Repeat("[", n) + strings.Repeat("]", n)) }
	refuseAll(t, v, ErrClaims, map[string]string{
		"deep":            signHS(hsHeader, nested(DefaultMaxDepth)),
		"deep, unclosed":  signHS(hsHeader, payload(`"x":`+strings.Repeat("[", 2000))),
		"deep in objects": signHS(hsHeader, payload(`"x":`+strings.Repeat(`{"a":`, 20)+"1"+strings.Repeat("}", 20))),
	})
	_, err := v.Verify(signHS(hsHeader, nested(DefaultMaxDepth-1)))
	wantError(t, err, nil)
	_, err = v.Verify(signHS(hsHeader, payload(`"x":"`+strings.Repeat(`[\"{`, 100)+`"`)))
	wantError(t, err, nil) // brackets in strings are not depth
}

func TestAttackJSON(t *testing.T) {
	v := newVerifier(t, nil, nil, hsIssuer())
	tokens := map[string]string{}
	for name, more := range map[string]string{
		"duplicate jti":             `"jti":"a","jti":"b"`,
		"duplicate by escape":       `"jti":"a","j\u0074i":"b"`,
		"duplicate, unregistered":   `"x":1,"x":2`,
		"duplicate, nested":         `"x":{"y":[{"a":1,"a":2}]}`,
		"JTI":                       `"JTI":"a"`,
		"jti and Jti":               `"jti":"a","Jti":"b"`,
		"long s in iss":             `"iſs":"b"`,
		"long s in sid":             `"ſid":"b"`,
		"Client_ID":                 `"Client_ID":"b"`,
		"invalid UTF-8":             "\"jti\":\"a\xff\"",
		"invalid UTF-8 elsewhere":   "\"x\":[\"a\xfe\"]",
		"invalid UTF-8 in a name":   "\"x\xff\":1",
		"lone surrogate":            `"jti":"a\ud800"`,
		"lone low surrogate":        `"x":"\udc00"`,
		"NUL in jti":                `"jti":"a\u0000b"`,
		"NUL in sid":                `"sid":"\u0000sha256:"`,
		"jti like a derived ID":     `"jti":"\u0000sha256:AAAA"`,
		"comment":                   `"x":1/**/`,
		"trailing comma":            `"x":1,`,
		"NaN":                       `"x":NaN`,
		"leading zero":              `"x":01`,
		"control character in text": "\"x\":\"\n\"",
	} {
		tokens[name] = signHS(hsHeader, payload(more))
	}
	tokens["trailing JSON"] = signHS(hsHeader, payload("")+`{"iss":"x"}`)
	tokens["trailing brace"] = signHS(hsHeader, payload("")+`}`)
	tokens["byte order mark"] = signHS(hsHeader, "\ufeff"+payload(""))
	tokens["array"] = signHS(hsHeader, "["+payload("")+"]")
	tokens["null"] = signHS(hsHeader, "null")
	tokens["string"] = signHS(hsHeader, `"hello"`)
	refuseAll(t, v, ErrClaims, tokens)
}

func TestAttackNormalFormsAreDifferent(t *testing.T) {
	n := newNode(atEpoch)
	v := newVerifier(t, n, nil, hsIssuer())
	nfc, nfd := signHS(hsHeader, payload("\"jti\":\"\u00e9\"")), signHS(hsHeader, payload("\"jti\":\"e\u0301\""))
	got, err := v.Verify(nfc)
	wantError(t, err, nil)
	n.revoke(t, got.This())
	_, err = v.Verify(nfc)
	wantError(t, err, ErrRevoked)
	_, err = v.Verify(nfd)
	wantError(t, err, nil)
}
