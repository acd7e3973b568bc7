package token

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"
)

// ParseWithClaims is Verify for programs that are written for
// github.com/golang-jwt/jwt/v5: it takes the place of jwt.ParseWithClaims, fills
// claims, which must be a pointer or a jwt.MapClaims, and calls its Validate if it
// has one (jwt.ClaimsValidator). Everything that Verify refuses is refused; the
// error matches the sentinel of this package and the nearest one of that. Names
// of claims are compared with their case. Safe for concurrent use.
func (v *Verifier) ParseWithClaims(raw string, claims jwt.Claims) (*jwt.Token, error) {
	verified, err := v.Verify(raw)
	if err != nil {
		return nil, withJWTError(err)
	}
	var dst any = claims
	if m, ok := claims.(jwt.MapClaims); ok {
		if m == nil {
			return nil, errors.New("token: ParseWithClaims into a nil jwt.MapClaims; make one")
		}
		dst = &m
	} else if reflect.ValueOf(claims).Kind() != reflect.Pointer {
		return nil, fmt.Errorf("token: ParseWithClaims into %T; pass a pointer", claims)
	}
	if err := verified.Decode(dst); err != nil {
		return nil, withJWTError(err)
	}
	if c, ok := claims.(jwt.ClaimsValidator); ok {
		if err := c.Validate(); err != nil {
			return nil, fmt.Errorf("token: %w: %w", jwt.ErrTokenInvalidClaims, err)
		}
	}
	return verified.jwtToken(raw, claims), nil
}

// ClaimsAs returns the claims of v as a C, a struct with json tags or a map.
func ClaimsAs[C any](v *Verified) (C, error) {
	var c C
	err := v.Decode(&c)
	return c, err
}

// jwtToken describes a token that has been verified. What was encrypted has its
// inner header left out.
func (v *Verified) jwtToken(raw string, claims jwt.Claims) *jwt.Token {
	t := &jwt.Token{Raw: raw, Method: jwt.GetSigningMethod(v.Algorithm), Claims: claims, Valid: true, Header: map[string]any{"alg": v.Algorithm}}
	c, err := splitCompact(raw, len(raw))
	if err != nil {
		return t
	}
	t.Signature = c.signature
	var header map[string]any
	if strings.Count(raw, ".") == 2 && json.Unmarshal(c.header, &header) == nil {
		t.Header = header
	}
	return t
}

// withJWTError adds golang-jwt's name for err.
func withJWTError(err error) error {
	for _, pair := range [][2]error{
		{ErrExpired, jwt.ErrTokenExpired},
		{ErrNotYetValid, jwt.ErrTokenNotValidYet},
		{ErrIssuedInFuture, jwt.ErrTokenUsedBeforeIssued},
		{ErrSignature, jwt.ErrTokenSignatureInvalid},
		{ErrAudience, jwt.ErrTokenInvalidAudience},
		{ErrUnknownIssuer, jwt.ErrTokenInvalidIssuer},
		{ErrMalformed, jwt.ErrTokenMalformed},
		{ErrTooLarge, jwt.ErrTokenMalformed},
		{ErrUnknownKey, jwt.ErrTokenUnverifiable},
		{ErrAlgorithm, jwt.ErrTokenUnverifiable},
		{ErrNotReady, jwt.ErrTokenUnverifiable},
		{ErrStale, jwt.ErrTokenUnverifiable},
		{ErrDecryption, jwt.ErrTokenUnverifiable},
	} {
		if errors.Is(err, pair[0]) {
			return fmt.Errorf("%w: %w", pair[1], err)
		}
	}
	return fmt.Errorf("%w: %w", jwt.ErrTokenInvalidClaims, err)
}
