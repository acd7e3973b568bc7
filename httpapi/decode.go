package httpapi

import (
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rescind"
	"rescind/internal/problem"
)

// decodeStrict reads one JSON object into dst, a pointer to a struct. Unknown
// and duplicate members, invalid UTF-8 and anything after the object are
// refused, since a reader that skips them and one that does not would
// understand two different requests. Errors are of type *problem.Error or
// *rescind.InvalidError, and repeat no value of the body.
func decodeStrict(body []byte, dst any) error {
	if jsontext.Value(body).Kind() != jsontext.KindBeginObject {
		return &problem.Error{Kind: problem.Malformed, Detail: "the body must be a JSON object"}
	}
	err := json.Unmarshal(body, dst, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	var invalid *rescind.InvalidError
	if errors.As(err, &invalid) {
		return fieldOf(err, invalid)
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) && errors.Is(err, json.ErrUnknownName) {
		return unknownMember(semantic.JSONPointer)
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && errors.Is(err, jsontext.ErrDuplicateName) {
		return &rescind.InvalidError{Field: memberName(syntax.JSONPointer), Problem: "is there twice"}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return &problem.Error{Kind: problem.Malformed, Detail: "the JSON breaks off before its end"}
	}
	// The decoder's own words may quote the body, where a token may be.
	return &problem.Error{Kind: problem.Malformed, Field: pointerField(err), Detail: "the body is not valid JSON in UTF-8, or goes on after the object"}
}

func unknownMember(at jsontext.Pointer) error {
	return &rescind.InvalidError{Field: memberName(at), Problem: "is no member of this request"}
}

// fieldOf names the member in which a value's own decoder failed: a value does
// not know what it is called.
func fieldOf(err error, invalid *rescind.InvalidError) error {
	var semantic *json.SemanticError
	if invalid.Field == "" && errors.As(err, &semantic) {
		return &rescind.InvalidError{Field: memberName(semantic.JSONPointer), Problem: invalid.Problem}
	}
	return invalid
}

func pointerField(err error) string {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && syntax.JSONPointer != "" {
		return memberName(syntax.JSONPointer)
	}
	return ""
}

// memberName returns the member that at leads to.
func memberName(at jsontext.Pointer) string {
	return plainName(at.LastToken())
}

// plainName returns name if it can be the name of a field, and stands in for it
// otherwise: a token pasted in the wrong place must not be echoed.
func plainName(name string) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
	if name == "" || len(name) > 24 || strings.Trim(name, letters) != "" {
		return "(unnamed)"
	}
	return name
}
