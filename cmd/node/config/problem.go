package config

import (
	"fmt"
	"regexp"
	"strings"
)

// Problem is one thing that is wrong with the settings.
type Problem struct {
	Key    string // the setting, or what was taken for one, such as "http.addr" or "RESCIND_HTP_ADDR"
	Value  string // as given, without passwords; empty for unknown keys, which may hold a secret
	Source string // "node.yaml:3", "RESCIND_HTTP_ADDR", "--http.addr" or "default"
	Want   string // what would be right
}

// String returns the problem as one line.
func (p Problem) String() string {
	if p.Value == "" {
		return fmt.Sprintf("%s (%s): %s", p.Key, p.Source, p.Want)
	}
	return fmt.Sprintf("%s is %.100q (%s): %s", p.Key, p.Value, p.Source, p.Want)
}

// Error lists everything that is wrong with the settings.
type Error struct{ Problems []Problem }

// Error returns one line for each problem after a line that counts them.
func (e *Error) Error() string {
	lines := []string{fmt.Sprintf("%d problems with the settings:", len(e.Problems))}
	if len(e.Problems) == 1 {
		lines[0] = "1 problem with the settings:"
	}
	for _, p := range e.Problems {
		lines = append(lines, "  "+p.String())
	}
	return strings.Join(lines, "\n")
}

// credentials are what comes before an @, up to the last: a password may hold
// anything, and where a URL is malformed nobody knows where it ends. Without an
// @ they may stand where host and port should: a port is a number.
var credentials = regexp.MustCompile(`(?s)^.*@|//[^/@,\[]*:[^/@,]*[^0-9/@,][^/@,]*`)

// withoutPassword hides user and password of the URLs in s.
func withoutPassword(s string) string { return credentials.ReplaceAllString(s, "...") }
