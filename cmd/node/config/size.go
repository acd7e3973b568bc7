package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// sizes are the units of a number of bytes, as GOMEMLIMIT writes them.
var sizes = []struct {
	unit  string
	bytes int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// size is a number of bytes from least; 0 is written as nothing.
func size(field func(*Config) *int64, least int64) codec {
	return codec{
		store: func(c *Config, v value) error {
			if v.text == "" {
				*field(c) = 0
				return nil
			}
			n, ok := parseSize(v.text)
			if !ok || n < least {
				return errors.New("a number of bytes with a unit, such as 512MiB or 2GiB, of at least " + showSize(least))
			}
			*field(c) = n
			return nil
		},
		show: func(c *Config) any { return showSize(*field(c)) },
	}
}

func parseSize(s string) (n int64, ok bool) {
	for _, u := range sizes {
		if digits, found := strings.CutSuffix(s, u.unit); found {
			n, err := strconv.ParseUint(digits, 10, 63)
			if err != nil || n > uint64(math.MaxInt64/u.bytes) {
				return 0, false
			}
			return int64(n) * u.bytes, true
		}
	}
	return 0, false
}

func showSize(n int64) string {
	for _, u := range sizes {
		if n != 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.unit
		}
	}
	return ""
}
