package report

// Block is one part of a page. Exactly one field is set.
type Block struct {
	Heading     string       `json:"heading,omitempty"`
	Note        string       `json:"note,omitempty"` // a paragraph of plain text
	Table       *Table       `json:"table,omitempty"`
	Percentiles *Percentiles `json:"percentiles,omitempty"`
	CDF         *CDF         `json:"cdf,omitempty"`
	HeatMap     *HeatMap     `json:"heat_map,omitempty"`
	Spread      *Spread      `json:"spread,omitempty"`
	Lines       *Lines       `json:"lines,omitempty"`
	Bars        *Bars        `json:"bars,omitempty"`
	Shares      *Shares      `json:"shares,omitempty"`
	Timeline    *Timeline    `json:"timeline,omitempty"`
}

// Add appends blocks to the page.
func (r *Result) Add(blocks ...Block) { r.Blocks = append(r.Blocks, blocks...) }

// Heading begins a part of the page.
func (r *Result) Heading(text string) { r.Add(Block{Heading: text}) }

// Note adds a paragraph: what is seen, and what is not shown by it.
func (r *Result) Note(text string) { r.Add(Block{Note: text}) }

// Table adds a table.
func (r *Result) Table(t Table) { r.Add(Block{Table: &t}) }

// Percentiles adds a plot of latency by percentile, on HDR's logarithmic axis.
func (r *Result) Percentiles(p Percentiles) { r.Add(Block{Percentiles: &p}) }

// CDF adds a plot of the share that is done within a time.
func (r *Result) CDF(p CDF) { r.Add(Block{CDF: &p}) }

// HeatMap adds a map of values by row and column, for example of node pairs.
func (r *Result) HeatMap(p HeatMap) { r.Add(Block{HeatMap: &p}) }

// Spread adds a plot of the share of nodes that know, against time.
func (r *Result) Spread(p Spread) { r.Add(Block{Spread: &p}) }

// Lines adds a plot of lines.
func (r *Result) Lines(p Lines) { r.Add(Block{Lines: &p}) }

// Bars adds a plot of bars.
func (r *Result) Bars(p Bars) { r.Add(Block{Bars: &p}) }

// Shares adds a plot of what each whole consists of.
func (r *Result) Shares(p Shares) { r.Add(Block{Shares: &p}) }

// Timeline adds a plot of what happened when.
func (r *Result) Timeline(p Timeline) { r.Add(Block{Timeline: &p}) }
