package report

import (
	_ "embed"
	"html/template"
	"io"
	"slices"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{"number": Number, "keys": sortedKeys}).Parse(pageText))

// WriteHTML writes one page of one or more results. It needs no other file and
// no network.
func WriteHTML(w io.Writer, results ...*Result) error { return page.Execute(w, results) }

func sortedKeys(m map[string]float64) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
