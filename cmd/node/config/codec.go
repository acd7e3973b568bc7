package config

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"rescind"
)

// value is a setting as given.
type value struct {
	text   string
	source string
	read   func(string) ([]byte, error)

	// list is tokens.issuers where it stands in the settings file, and file is
	// that file's path.
	list *yaml.Node
	file string
}

// codec stores a value in a Config and shows it again.
type codec struct {
	// store parses and stores. Its error says what would be right, or is an
	// *Error where several things are wrong. It leaves c as it was on error.
	store func(c *Config, v value) error

	// show returns what store reads back as the same: a string, a []string or
	// a []Issuer.
	show func(c *Config) any
}

// text is a string that check accepts, perhaps completed.
func text(field func(*Config) *string, check func(string) (string, error)) codec {
	return codec{
		store: func(c *Config, v value) error {
			s, err := check(v.text)
			if err == nil {
				*field(c) = s
			}
			return err
		},
		show: func(c *Config) any { return *field(c) },
	}
}

func anyText(s string) (string, error) { return s, nil }

func notEmpty(s string) (string, error) {
	if s == "" {
		return "", errors.New("a value that is not empty")
	}
	return s, nil
}

func optional(check func(string) (string, error)) func(string) (string, error) {
	return func(s string) (string, error) {
		if s == "" {
			return "", nil
		}
		return check(s)
	}
}

func oneOf(words ...string) func(string) (string, error) {
	return func(s string) (string, error) {
		if !slices.Contains(words, s) {
			return "", errors.New(strings.Join(words, " or "))
		}
		return s, nil
	}
}

var clusterNames = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func clusterName(s string) (string, error) {
	if !clusterNames.MatchString(s) {
		return "", errors.New("1 to 64 letters, digits, - and _")
	}
	return s, nil
}

// duration is a time from least to most, both allowed; a most of 0 means that
// there is none, and a least of 1 reads as "more than 0".
func duration(field func(*Config) *time.Duration, least, most time.Duration) codec {
	want := "a duration of at least " + short(least)
	switch {
	case most != 0:
		want = fmt.Sprintf("a duration from %s to %s", short(least), short(most))
	case least == 1:
		want = "a duration of more than 0s"
	}
	return codec{
		store: func(c *Config, v value) error {
			d, err := time.ParseDuration(v.text)
			if err != nil || d < least || most != 0 && d > most {
				return errors.New(want + ", with a unit, such as 500ms, 10s or 1h")
			}
			*field(c) = d
			return nil
		},
		show: func(c *Config) any { return short(*field(c)) },
	}
}

// short writes d as people do: 1h and not 1h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// count is a positive number. Underscores may part its digits.
func count(field func(*Config) *int) codec { return number(field, 1) }

// number is count from least.
func number(field func(*Config) *int, least int64) codec {
	return codec{
		store: func(c *Config, v value) error {
			n, err := strconv.ParseInt(strings.ReplaceAll(v.text, "_", ""), 10, 64)
			if err != nil || n < least || n > math.MaxInt32 {
				return fmt.Errorf("a number from %d to %d", least, math.MaxInt32)
			}
			*field(c) = int(n)
			return nil
		},
		show: func(c *Config) any { return strconv.Itoa(*field(c)) },
	}
}

// percent is a number up to 100.
func percent(field func(*Config) *int) codec {
	c := number(field, 0)
	store := c.store
	c.store = func(cfg *Config, v value) error {
		if store(cfg, v) != nil || *field(cfg) > 100 {
			return errors.New("a number from 0 to 100")
		}
		return nil
	}
	return c
}

// maxStatusListSize is that of package httpapi.
const maxStatusListSize = 1 << 24

func statusListSize() codec {
	field := func(c *Config) *int { return &c.OAuth.StatusListSize }
	c := number(field, 8)
	plain := c.store
	c.store = func(c *Config, v value) error {
		var read Config
		if plain(&read, v) != nil || *field(&read)%8 != 0 || *field(&read) > maxStatusListSize {
			return fmt.Errorf("a multiple of 8 from 8 to %d", maxStatusListSize)
		}
		*field(c) = *field(&read)
		return nil
	}
	return c
}

func ack() codec {
	return codec{
		store: func(c *Config, v value) error {
			a, err := rescind.ParseAck(v.text)
			if err != nil || a == rescind.AckDefault {
				return fmt.Errorf("local, majority, all, or a number of other nodes up to %d", rescind.MaxAckNodes)
			}
			c.Revocations.Ack = a
			return nil
		},
		show: func(c *Config) any { return c.Revocations.Ack.String() },
	}
}

func logLevel() codec {
	return codec{
		store: func(c *Config, v value) error {
			// Only these four: slog would also read "INFO+2", which no
			// document of ours promises.
			if !slices.Contains([]string{"debug", "info", "warn", "error"}, v.text) {
				return errors.New("debug, info, warn or error")
			}
			return c.Log.Level.UnmarshalText([]byte(v.text))
		},
		show: func(c *Config) any { return strings.ToLower(c.Log.Level.String()) },
	}
}
