package httpapi

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rescind"
)

// text is a JSON string that knows whether it was there: an identifier that
// was left out takes a default, an empty one is a mistake. A null is refused.
type text struct {
	value string
	set   bool
}

// UnmarshalJSONFrom reads a string.
func (t *text) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if tok.Kind() != jsontext.KindString {
		return &rescind.InvalidError{Problem: "must be a string"}
	}
	*t = text{value: tok.String(), set: true}
	return nil
}

// instant is a time in a request: a string in RFC 3339, or a number of seconds
// since 1970, also with a fraction.
type instant struct {
	value time.Time
	set   bool
}

var errInstant = &rescind.InvalidError{Problem: "must be a time in RFC 3339 or a plain number of seconds since 1970, before the year 10000"}

// UnmarshalJSONFrom reads a time. It lies after 1970 and before the year
// 10000, so that no arithmetic on it overflows and it never equals the zero
// time, which would mean a default that nobody asked for.
func (i *instant) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	val, err := dec.ReadValue()
	if err != nil {
		return err
	}
	var t time.Time
	switch val.Kind() {
	case jsontext.KindString:
		t, err = parseRFC3339(val)
	case jsontext.KindNumber:
		t, err = parseUnix(string(val))
	default:
		err = errInstant
	}
	if err != nil || t.Unix() <= 0 {
		return errInstant
	}
	*i = instant{value: t, set: true}
	return nil
}

// parseRFC3339 leaves the reading to the JSON package, which is strict;
// [time.Parse] and [time.Time.UnmarshalText] also take a comma, one-digit hours
// and offsets that RFC 3339 does not know.
func parseRFC3339(val jsontext.Value) (t time.Time, err error) {
	err = json.Unmarshal(val, &t)
	return t, err
}

// maxUnix is the last second of the year 9999, the last one that RFC 3339 can
// write.
const maxUnix = 253402300799

var errUnix = errors.New("no plain number of seconds in range")

// parseUnix reads decimal digits and at most nine more after a point. It does
// not pass through a float, which would move the instant, and takes no
// exponent, with which a few bytes name a number that has gigabytes.
func parseUnix(s string) (time.Time, error) {
	whole, frac, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseUint(whole, 10, 63)
	if err != nil || sec > maxUnix {
		return time.Time{}, errUnix
	}
	if strings.Trim(frac, "0123456789") != "" {
		return time.Time{}, errUnix
	}
	frac = frac[:min(len(frac), 9)]
	if frac == "" {
		return time.Unix(int64(sec), 0).UTC(), nil
	}
	part, err := strconv.ParseUint(frac, 10, 63)
	if err != nil {
		return time.Time{}, errUnix
	}
	nsec := int64(part) * int64(math.Pow10(9-len(frac)))
	return time.Unix(int64(sec), nsec).UTC(), nil
}
