package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
)

var (
	//go:embed page.html
	pageText string

	//go:embed page.css
	pageStyle string

	page = template.Must(template.New("page").Funcs(template.FuncMap{"number": Number}).Parse(pageText))
)

// WriteHTML writes one page of one or more results. It needs no other file and
// no network, and holds no script.
func WriteHTML(w io.Writer, results ...*Result) error {
	v := pageView{Style: template.CSS(pageStyle)} // #nosec G203 -- a constant
	var all []*Result
	for _, r := range results {
		if len(r.Parts) > 0 {
			all = append(all, r.Parts...)
		} else {
			all = append(all, r)
		}
	}
	for i, r := range all {
		s, err := sectionOf(fmt.Sprintf("%s-%d", r.Name, i+1), r)
		if err != nil {
			return err
		}
		v.Sections = append(v.Sections, s)
	}
	return page.Execute(w, v)
}

// pageView is what the template shows.
type pageView struct {
	Style    template.CSS
	Sections []section
}

// section is one result.
type section struct {
	ID string
	*Result
	Parts     []part
	About     []fact // the machine and the versions
	Chosen    []fact // the settings
	Measured  []measuredFigure
	LongTitle bool
}

type fact struct{ Name, Value string }

// part is a block, its plot drawn.
type part struct {
	Heading, Note string
	Table         *Table
	Chart         *chart
}

// measuredFigure is one line of the table of all figures.
type measuredFigure struct {
	Name   string
	Value  float64
	Rounds int
	Low    float64 // quartiles of the rounds
	High   float64
}

func sectionOf(id string, r *Result) (section, error) {
	s := section{ID: id, Result: r, About: r.facts()}
	for _, name := range slices.Sorted(maps.Keys(r.Setting)) {
		s.Chosen = append(s.Chosen, fact{name, fmt.Sprint(r.Setting[name])})
	}
	for _, b := range r.Blocks {
		p := part{Heading: b.Heading, Note: b.Note, Table: b.Table}
		if d := b.drawable(); d != nil {
			c, err := d.chart()
			if err != nil {
				return s, err
			}
			p.Chart = &c
		}
		s.Parts = append(s.Parts, p)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Figures)) {
		f := measuredFigure{Name: name, Value: r.Figures[name], Rounds: len(r.Samples[name])}
		if f.Rounds > 0 {
			sorted := slices.Sorted(slices.Values(r.Samples[name]))
			f.Low, f.High = pick(sorted, 0.25), pick(sorted, 0.75)
		}
		s.Measured = append(s.Measured, f)
	}
	return s, nil
}

// drawable is a plot.
type drawable interface{ chart() (chart, error) }

// drawable returns the block's plot, or nil.
func (b Block) drawable() drawable {
	switch {
	case b.Percentiles != nil:
		return b.Percentiles
	case b.CDF != nil:
		return b.CDF
	case b.HeatMap != nil:
		return b.HeatMap
	case b.Spread != nil:
		return b.Spread
	case b.Lines != nil:
		return b.Lines
	case b.Bars != nil:
		return b.Bars
	case b.Shares != nil:
		return b.Shares
	case b.Timeline != nil:
		return b.Timeline
	}
	return nil
}

// facts says where and with what it was measured. What is unknown is left out.
func (r *Result) facts() (facts []fact) {
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, fact{name, value})
		}
	}
	m := r.Machine
	add("Processor", strings.TrimSpace(fmt.Sprintf("%s (%d usable, %s)", m.CPU, m.CPUs, m.Arch)))
	if m.Memory > 0 {
		add("Memory", fmt.Sprintf("%.1f GiB", m.Memory/(1<<30)))
	}
	add("System", strings.TrimSpace(m.OS+" "+m.Kernel))
	if m.Load >= 0 {
		add("Load before", fmt.Sprintf("%.2f", m.Load))
	}
	add("Go", m.Go)
	add("Rescind", r.Version)
	for _, v := range r.Modules {
		add(v.Name, v.Version)
	}
	return facts
}

// numeric reports whether a cell is set to the right.
func numeric(cell string) bool {
	cell = strings.TrimLeft(cell, "-<>≥≤~ ")
	return cell != "" && cell[0] >= '0' && cell[0] <= '9'
}
