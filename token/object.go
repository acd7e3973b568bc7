package token

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// errJSON stands for every way in which JSON can be unacceptable; what exactly
// is wrong is not told, since the text comes from an unknown sender.
var errJSON = errors.New("not acceptable JSON")

// reader pairs a decoder with its buffer, so that both can be used again.
type reader struct {
	dec jsontext.Decoder
	buf bytes.Buffer
}

var readers = sync.Pool{New: func() any { return new(reader) }}

// readObject calls member for every member of the JSON object that raw must
// consist of. The decoder refuses duplicate names at any depth, invalid UTF-8
// and lone surrogates; readObject adds the limit on depth, the refusal of
// trailing data and of names that differ from a known one only in case. member
// must consume the value.
func readObject(raw []byte, maxDepth int, known []string, member func(name string, dec *jsontext.Decoder) error) error {
	if tooDeep(raw, maxDepth) {
		return errJSON
	}
	r := readers.Get().(*reader)
	defer readers.Put(r)
	r.buf = *bytes.NewBuffer(raw) // the decoder reads a bytes.Buffer in place
	r.dec.Reset(&r.buf)
	dec := &r.dec
	if t, err := dec.ReadToken(); err != nil || t.Kind() != '{' {
		return errJSON
	}
	for dec.PeekKind() != '}' {
		t, err := dec.ReadToken()
		if err != nil {
			return errJSON
		}
		name := t.String()
		if caseVariant(name, known) {
			return errJSON
		}
		if err := member(name, dec); err != nil {
			return err
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return errJSON
	}
	if _, err := dec.ReadToken(); err != io.EOF {
		return errJSON
	}
	return nil
}

// caseVariant reports whether name is a known name in other letters, such as
// JTI or is\u017f: other libraries would take it for the known one.
func caseVariant(name string, known []string) bool {
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

// readString reads a string of 1 to limit bytes without NUL, the form of every
// identifier. Null, numbers and arrays are no strings.
func readString(dec *jsontext.Decoder, limit int) (string, error) {
	t, err := dec.ReadToken()
	if err != nil || t.Kind() != '"' {
		return "", errJSON
	}
	s := t.String()
	if s == "" || len(s) > limit || strings.IndexByte(s, 0) >= 0 {
		return "", errJSON
	}
	return s, nil
}

// readHint reads a value that means something only if it is a string; any other
// value is skipped.
func readHint(dec *jsontext.Decoder) (string, error) {
	if dec.PeekKind() != '"' {
		return "", skip(dec)
	}
	t, err := dec.ReadToken()
	if err != nil {
		return "", errJSON
	}
	return t.String(), nil
}

func skip(dec *jsontext.Decoder) error {
	if dec.SkipValue() != nil {
		return errJSON
	}
	return nil
}

func readBool(dec *jsontext.Decoder) (bool, error) {
	t, err := dec.ReadToken()
	if err != nil || t.Kind() != 't' && t.Kind() != 'f' {
		return false, errJSON
	}
	return t.Bool(), nil
}
