package strict

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxKeyIDLen bounds a kid, in bytes.
const MaxKeyIDLen = 128

// ErrJSON stands for every way in which JSON can be unacceptable; what exactly
// is wrong is not told, since the text comes from an unknown sender.
var ErrJSON = errors.New("not acceptable JSON")

// reader pairs a decoder with its buffer, so that both can be used again.
type reader struct {
	dec jsontext.Decoder
	buf bytes.Buffer
}

var readers = sync.Pool{New: func() any { return new(reader) }}

// ReadObject calls member for every member of the JSON object that raw must
// consist of. The decoder refuses duplicate names at any depth, invalid UTF-8
// and lone surrogates; ReadObject adds the limit on depth, the refusal of
// trailing data and of names that differ from a known one only in case. member
// must consume the value.
func ReadObject(raw []byte, maxDepth int, known []string, member func(name string, dec *jsontext.Decoder) error) error {
	if tooDeep(raw, maxDepth) {
		return ErrJSON
	}
	r := readers.Get().(*reader)
	defer readers.Put(r)
	r.buf = *bytes.NewBuffer(raw) // the decoder reads a bytes.Buffer in place
	r.dec.Reset(&r.buf)
	dec := &r.dec
	if t, err := dec.ReadToken(); err != nil || t.Kind() != '{' {
		return ErrJSON
	}
	for dec.PeekKind() != '}' {
		t, err := dec.ReadToken()
		if err != nil {
			return ErrJSON
		}
		name := t.String()
		if CaseVariant(name, known) {
			return ErrJSON
		}
		if err := member(name, dec); err != nil {
			return err
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return ErrJSON
	}
	if _, err := dec.ReadToken(); err != io.EOF {
		return ErrJSON
	}
	return nil
}

// CaseVariant reports whether name is a known name in other letters, such as
// JTI or is\u017f: other libraries would take it for the known one.
func CaseVariant(name string, known []string) bool {
	for _, k := range known {
		if name == k {
			return false
		}
	}
	for _, k := range known {
		if strings.EqualFold(name, k) {
			return true
		}
	}
	return false
}

// tooDeep reports whether JSON nests deeper than limit. Of anything else it may
// report either; that is refused later.
func tooDeep(raw []byte, limit int) bool {
	depth, inString := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// ReadString reads a string of 1 to limit bytes without NUL, the form of every
// identifier. Null, numbers and arrays are no strings.
func ReadString(dec *jsontext.Decoder, limit int) (string, error) {
	t, err := dec.ReadToken()
	if err != nil || t.Kind() != '"' {
		return "", ErrJSON
	}
	s := t.String()
	if s == "" || len(s) > limit || strings.IndexByte(s, 0) >= 0 {
		return "", ErrJSON
	}
	return s, nil
}

// ReadHint reads a value that means something only if it is a string; any other
// value is skipped.
func ReadHint(dec *jsontext.Decoder) (string, error) {
	if dec.PeekKind() != '"' {
		return "", Skip(dec)
	}
	t, err := dec.ReadToken()
	if err != nil {
		return "", ErrJSON
	}
	return t.String(), nil
}

func Skip(dec *jsontext.Decoder) error {
	if dec.SkipValue() != nil {
		return ErrJSON
	}
	return nil
}

func ReadBool(dec *jsontext.Decoder) (bool, error) {
	t, err := dec.ReadToken()
	if err != nil || t.Kind() != 't' && t.Kind() != 'f' {
		return false, ErrJSON
	}
	return t.Bool(), nil
}
