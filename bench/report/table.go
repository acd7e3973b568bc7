package report

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Table is one table. The first column names the rows.
type Table struct {
	Title   string     `json:"title,omitempty"`
	Caption string     `json:"caption,omitempty"` // what is to be known about it, below
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
	Folded  bool       `json:"folded,omitempty"` // the page shows it when asked: it is long
}

// Row appends a row; each cell is written as fmt.Sprint does, floats with
// three significant digits, integers with all.
func (t *Table) Row(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		switch v := c.(type) {
		case float64:
			row[i] = Number(v)
		case int:
			row[i] = whole(int64(v))
		case int64:
			row[i] = whole(v)
		default:
			row[i] = fmt.Sprint(c)
		}
	}
	t.Rows = append(t.Rows, row)
}

// Numeric reports whether a column holds numbers, so that it is set to the right.
func (t Table) Numeric(column int) bool {
	some := false
	for _, row := range t.Rows {
		if column >= len(row) || row[column] == "" {
			continue
		}
		if row[column] != "-" && !numeric(row[column]) {
			return false
		}
		some = true
	}
	return some
}

// Text writes the table for a terminal.
func (t Table) Text(w io.Writer) error {
	if t.Title != "" {
		fmt.Fprintf(w, "\n%s\n", t.Title)
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, strings.Join(t.Columns, "\t")+"\t")
	for _, row := range t.Rows {
		fmt.Fprintln(tw, strings.Join(row, "\t")+"\t")
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if t.Caption != "" {
		fmt.Fprintln(w, t.Caption)
	}
	return nil
}

// Number writes v with three significant digits and no exponent, thousands set
// apart by commas: 0.0123, 4.57, 1,230. What is very small or large has one.
func Number(v float64) string {
	a := math.Abs(v)
	switch {
	case a == 0:
		return "0"
	case a >= 1e15 || a < 1e-6 || math.IsNaN(v):
		return fmt.Sprintf("%.3g", v)
	}
	digits := max(0, 2-int(math.Floor(math.Log10(a))))
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if digits > 0 {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return thousands(s)
}

// whole writes all digits.
func whole(n int64) string { return thousands(strconv.FormatInt(n, 10)) }

func thousands(s string) string {
	for i := strings.IndexByte(s+".", '.') - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
