package filter

// Stats describes a set.
type Stats struct {
	Bytes int // of memory for filter and tables

	// Fill is the share of the filter's bits that are set: 0.27 when it holds
	// what it is made for. It grows before 0.29 is passed.
	Fill float64

	// FalsePositives counts the identifiers, checked since the set was made, of
	// which the filter said "maybe" and the exact table no.
	FalsePositives uint64
}

// Stats returns what the set measures of itself. It is cheap, but not for the
// check path.
func (s *Set) Stats() Stats {
	return Stats{
		Bytes: int(s.census.bytes.Load()), Fill: s.filter.Load().fill(),
		FalsePositives: s.falsePositives.Load(),
	}
}
