package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// decodeAnswer reads what a node answers into a view of it that is printed for
// people. What a token or another node put into it can't act on the terminal: every
// string is legible.
func decodeAnswer(answer []byte, view any) error {
	if err := json.Unmarshal(answer, view); err != nil {
		return err
	}
	makeLegible(reflect.ValueOf(view))
	return nil
}

// makeLegible replaces the strings that v leads to.
func makeLegible(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			makeLegible(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				makeLegible(v.Field(i))
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			makeLegible(v.Index(i))
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(legible(v.String()))
		}
	}
}

// legible returns s with a blank for each tab and line end, since it may stand in a
// cell of a table, and with escapes for what is not printable otherwise: controls,
// which a terminal obeys, marks that turn the direction of writing, and what is not
// UTF-8.
func legible(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			b.WriteByte(' ')
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !unicode.IsPrint(r):
			b.WriteString(escaped(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// legibleJSON returns JSON that says the same: there, whatever is not printable
// stands in a string, where it may be escaped, or between the members, where it
// makes the whole not JSON.
func legibleJSON(text []byte) []byte {
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == '\n' || r == '\r' || r == '\t' || unicode.IsPrint(r) && (r != utf8.RuneError || size > 1):
			b.Write(text[:size])
		case r == utf8.RuneError && size == 1:
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteString(escaped(r))
		}
		text = text[size:]
	}
	return []byte(b.String())
}

// escaped is r as JSON and Go write it.
func escaped(r rune) string {
	if r > 0xFFFF {
		high, low := utf16.EncodeRune(r)
		return fmt.Sprintf(`\u%04x\u%04x`, high, low)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// legibleLines is legible for words of several lines.
func legibleLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = legible(line)
	}
	return strings.Join(lines, "\n")
}
