package jwks

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// minDistinctBytes tells "aaaa..." and "secretsecret..." from randomness: 32
// random bytes have fewer distinct values, even written in hexadecimal digits,
// with a probability below one in a million.
const minDistinctBytes = 8

// knownSecrets are secrets of documentation and tutorials that are long enough
// to pass for good ones.
var knownSecrets = []string{
	"a-string-secret-at-least-256-bits-long",
	"a-valid-string-secret-that-is-at-least-384-bits-long",
	"a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
	"my-32-character-ultra-secure-and-ultra-long-secret",
	"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
	"9a4f2c8d3b7a1e6f45c8a0b3f267d8b1d4e6f3c8a9d2b5f8e3a9c8b5f6v8a3d9",
	"404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
}

// CheckSecret refuses HMAC secrets shorter than the strongest allowed algorithm
// needs, guessable ones, and public keys taken for secrets: with those anybody
// could sign.
func CheckSecret(secret []byte, allowed map[string]*Algorithm) error {
	need := 0
	for _, a := range allowed {
		need = max(need, a.secret)
	}
	switch {
	case len(secret) < need:
		return fmt.Errorf("the HMAC secret has %d bytes; the allowed algorithms need at least %d random ones", len(secret), need)
	case looksPublic(secret):
		return errors.New("the HMAC secret is a key or certificate; anybody who knows the public key could sign tokens")
	case slices.Contains(knownSecrets, string(secret)):
		return errors.New("the HMAC secret is a well-known example")
	case !LooksRandom(secret):
		return errors.New("the HMAC secret repeats a few characters; use random bytes")
	}
	return nil
}

// looksPublic reports whether secret is a PEM block, a JWK or JWK Set, an SSH
// key, or a DER key or certificate, bare or in base64.
func looksPublic(secret []byte) bool {
	s := bytes.TrimFunc(secret, unicode.IsSpace)
	switch {
	case bytes.Contains(s, []byte("-----BEGIN")), bytes.HasPrefix(s, []byte("ssh-")), bytes.HasPrefix(s, []byte("ecdsa-sha2-")):
		return true
	case bytes.HasPrefix(s, []byte("{")) && jsontext.Value(s).IsValid():
		return true
	}
	if isDER(secret) {
		return true
	}
	der, err := base64.StdEncoding.DecodeString(string(s))
	return err == nil && isDER(der)
}

func isDER(b []byte) bool {
	_, pkix := x509.ParsePKIXPublicKey(b)
	_, pkcs1 := x509.ParsePKCS1PublicKey(b)
	_, cert := x509.ParseCertificate(b)
	return pkix == nil || pkcs1 == nil || cert == nil
}

// LooksRandom reports whether secret is not one that repeats a few bytes.
func LooksRandom(secret []byte) bool {
	var seen [256]bool
	n := 0
	for _, c := range secret {
		if !seen[c] {
			seen[c] = true
			n++
		}
	}
	return n >= minDistinctBytes
}

// TrimNewline removes the line break that editors and echo put at the end of a
// file, if the rest is text. Random bytes are left alone.
func TrimNewline(b []byte) []byte {
	t := bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	for _, c := range t {
		if c < ' ' || c > '~' {
			return b
		}
	}
	return t
}
