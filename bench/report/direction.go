package report

import "strings"

// Better says which way a figure should go.
type Better string

// The directions. Unknown is for figures that are neither good nor bad.
const (
	Unknown Better = ""
	Lower   Better = "lower"
	Higher  Better = "higher"
)

// Direction returns which way a figure should go: what the result says, else
// what the last part of its name says.
func (r *Result) Direction(figure string) Better {
	if b, ok := r.Better[figure]; ok {
		return b
	}
	last := figure[strings.LastIndexByte(figure, '.')+1:]
	for _, rule := range directions {
		for part := range strings.SplitSeq(rule.parts, " ") {
			if last == part || strings.HasSuffix(last, "_"+part) {
				return rule.better
			}
		}
	}
	return Unknown
}

var directions = []struct {
	parts  string
	better Better
}{
	{"rps per_second rate adds_per_second scaling2", Higher},
	{"ns us ms s seconds bytes mb allocs lost leaked violations understated negatives failed wrong refused_live skipped bytes_per_entry per_million", Lower},
}
