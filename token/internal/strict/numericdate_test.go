package strict

import (
	"bytes"
	"math/big"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"rescind"
)

func readDate(text string) (rescind.Millis, error) {
	return ReadNumericDate(jsontext.NewDecoder(bytes.NewBufferString(text)))
}

func TestNumericDatesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rescind.Millis(rapid.Int64Range(0, MaxNumericDate*1000).Draw(t, "millis"))
		got, err := readDate(string(NumericDate(m)))
		if err != nil || got != m {
			t.Fatalf("%s read as %d, %v", NumericDate(m), got, err)
		}
	})
}

// TestNumericDateRoundsDown compares with exact arithmetic.
func TestNumericDateRoundsDown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`(0|[1-9][0-9]{0,11})\.[0-9]{1,12}`).Draw(t, "text")
		exact, _ := new(big.Rat).SetString(text)
		exact.Mul(exact, big.NewRat(1000, 1))
		want := new(big.Int).Quo(exact.Num(), exact.Denom())
		got, err := readDate(text)
		if want.Cmp(big.NewInt(MaxNumericDate*1000+999)) > 0 {
			if err == nil {
				t.Fatalf("%s was accepted", text)
			}
			return
		}
		if err != nil || int64(got) != want.Int64() {
			t.Fatalf("%s read as %d, %v; want %v", text, got, err, want)
		}
	})
}
