package report

// Axis names what one axis shows. Its label reads "Label, Unit".
type Axis struct {
	Label string `json:"label"`
	Unit  string `json:"unit,omitempty"`
	Log   bool   `json:"log,omitempty"` // what isn't above 0 is then left out
}

// Percentiles shows latency by percentile: 90 %, 99 %, 99.9 % are as far apart
// from each other, and the latency axis is logarithmic as well.
type Percentiles struct {
	Title         string         `json:"title"`
	Caption       string         `json:"caption,omitempty"` // what to see, below the plot
	Unit          string         `json:"unit"`
	Distributions []Distribution `json:"distributions"`
}

// CDF shows which share of the samples is done within a time (logarithmic).
type CDF struct {
	Title         string         `json:"title"`
	Caption       string         `json:"caption,omitempty"`
	Unit          string         `json:"unit"`
	Distributions []Distribution `json:"distributions"`
}

// HeatMap shows a value for each row and column as a shade and as a number.
type HeatMap struct {
	Title       string      `json:"title"`
	Caption     string      `json:"caption,omitempty"`
	Unit        string      `json:"unit"`
	RowLabel    string      `json:"row_label"`    // "from"
	ColumnLabel string      `json:"column_label"` // "to"
	Rows        []string    `json:"rows"`
	Columns     []string    `json:"columns"`
	Values      [][]float64 `json:"values"` // by row, then column; below 0 there is none
}

// Spread shows the share of the other nodes that know of a revocation, against
// the time since it was asked for: the median of all revocations and a band.
type Spread struct {
	Title   string        `json:"title"`
	Caption string        `json:"caption,omitempty"`
	Unit    string        `json:"unit"`
	Curves  []SpreadCurve `json:"curves"` // make them with [NewSpreadCurve]
}

// Lines shows one or more lines.
type Lines struct {
	Title   string `json:"title"`
	Caption string `json:"caption,omitempty"`
	X       Axis   `json:"x"`
	Y       Axis   `json:"y"`
	Lines   []Line `json:"lines"`
}

// Line is a series of points with X ascending.
type Line struct {
	Name string    `json:"name"`
	X    []float64 `json:"x"`
	Y    []float64 `json:"y"`

	// Low and High, if there, are as long as X and bound a band.
	Low  []float64 `json:"low,omitempty"`
	High []float64 `json:"high,omitempty"`

	Dashed bool `json:"dashed,omitempty"` // a goal, a model, a rival
	Points bool `json:"points,omitempty"` // marks where the values are
	Steps  bool `json:"steps,omitempty"`  // each value holds until the next
}

// Bars shows values beside each other, one bar a row.
type Bars struct {
	Title   string `json:"title"`
	Caption string `json:"caption,omitempty"`
	Value   Axis   `json:"value"`
	Bars    []Bar  `json:"bars"`
}

// Bar is one bar. Low and High, if they differ, are drawn as its spread.
type Bar struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Ours  bool    `json:"ours,omitempty"` // stands out
}

// Shares shows, for each row, what share of it each part is: which carrier was
// first, what checks answered.
type Shares struct {
	Title   string     `json:"title"`
	Caption string     `json:"caption,omitempty"`
	Parts   []string   `json:"parts"`
	Rows    []ShareRow `json:"rows"`
}

// ShareRow is one whole. Counts are as long as the plot's Parts.
type ShareRow struct {
	Name   string    `json:"name"`
	Counts []float64 `json:"counts"`
}

// Timeline shows what happened when, with lines of values above: the staleness
// that a node claims over the lag that was true.
type Timeline struct {
	Title   string   `json:"title"`
	Caption string   `json:"caption,omitempty"`
	Value   Axis     `json:"value"`
	Lines   []Line   `json:"lines"`   // X in seconds since the start
	Periods []Period `json:"periods"` // of faults, drawn as areas
	Marks   []Mark   `json:"marks"`   // of moments, drawn as lines
}

// Period is from one moment to another, in seconds since the start.
type Period struct {
	Name string  `json:"name"`
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// Mark is one moment, in seconds since the start.
type Mark struct {
	Name string  `json:"name"`
	At   float64 `json:"at"`
}
