package config

import "strings"

// unknown reports a name that is no setting. key is the name as a key, and
// spell writes a key as it should have been written at that place. The value
// is left out: RESCIND_ADMIN_TOKEN may well hold a token.
func (r *reading) unknown(given, source, key string, spell func(string) string) {
	candidates := []string{configKey}
	for _, s := range r.settings {
		candidates = append(candidates, s.Key)
	}
	want := "there is no such setting; `rescind serve --help` lists them all"
	if near := nearest(key, candidates); near != "" {
		want = "there is no such setting; did you mean " + spell(near) + "?"
	}
	r.problems = append(r.problems, Problem{Key: given, Source: source, Want: want})
}

// nearest returns the candidate that was probably meant, or "". It is the one
// with the fewest letters to change, if those are few; else the only one that
// key begins or ends, such as admin.token or join-timeout.
func nearest(key string, candidates []string) string {
	key = plain(key)
	best, least := "", len(key)
	for _, c := range candidates {
		p := plain(c)
		if d := distance(key, p); d < least && d <= max(1, len(p)/4) {
			best, least = c, d
		}
	}
	if best != "" {
		return best
	}
	for _, c := range candidates {
		p := plain(c)
		if !strings.HasPrefix(p, key+".") && !strings.HasPrefix(key, p+".") && !strings.HasSuffix(p, "."+key) {
			continue
		}
		if best != "" {
			return "" // two are as good as none
		}
		best = c
	}
	return best
}

// plain makes keys, flags and variables comparable: their separators are what
// people mix up most.
func plain(key string) string {
	return strings.ToLower(strings.NewReplacer("-", ".", "_", ".").Replace(key))
}

// distance is Levenshtein's: the fewest bytes to insert, delete or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
