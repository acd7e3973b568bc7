package strict

import (
	"encoding/base64"
	"strings"
)

var Base64 = base64.RawURLEncoding.Strict()

// DecodeSegment decodes canonical base64url. The library's strict mode refuses
// spare bits and padding but still skips line breaks, which would give one
// token many spellings.
func DecodeSegment(s string) ([]byte, bool) {
	if s == "" || strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	b, err := Base64.DecodeString(s)
	return b, err == nil
}
