package strict

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"rescind"
)

// MaxNumericDate is the last second of the year 9999. Larger values are an
// overflow or milliseconds taken for seconds.
const MaxNumericDate = 253402300799

// ReadNumericDate reads a NumericDate (RFC 7519 section 2): a JSON number of
// seconds since 1970, here not negative, at most MaxNumericDate and without an
// exponent. It is rounded down to a millisecond in decimal; a float64 would
// turn 1700000000.123 into .122 and a fresh token into a revoked one.
func ReadNumericDate(dec *jsontext.Decoder) (rescind.Millis, error) {
	if dec.PeekKind() != '0' {
		return 0, ErrJSON
	}
	v, err := dec.ReadValue()
	if err != nil {
		return 0, ErrJSON
	}
	whole, fraction, _ := strings.Cut(string(v), ".")
	seconds, err := strconv.ParseUint(whole, 10, 63) // refuses '-' and 'e'
	if err != nil || seconds > MaxNumericDate {
		return 0, ErrJSON
	}
	if strings.Trim(fraction, "0123456789") != "" {
		return 0, ErrJSON
	}
	ms, _ := strconv.Atoi((fraction + "000")[:3])
	return rescind.Millis(seconds*1000) + rescind.Millis(ms), nil
}

// NumericDate writes m as a NumericDate with exactly three decimals.
func NumericDate(m rescind.Millis) jsontext.Value {
	b := strconv.AppendInt(nil, int64(m/1000), 10)
	b = append(b, '.')
	ms := strconv.Itoa(int(m%1000) + 1000)
	return append(b, ms[1:]...)
}
