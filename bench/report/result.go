package report

import (
	"maps"
	"slices"
	"time"
)

// Result is what one command measured. Make it with [New].
type Result struct {
	Name    string         `json:"bench"`        // the command's name: "propagation"
	Title   string         `json:"title"`        // for people: "The window"
	Command string         `json:"command"`      // as it was run, with its flags; it holds no secret
	Started time.Time      `json:"started"`      // when New was called
	Seconds float64        `json:"took_seconds"` // until Finish
	Machine Machine        `json:"machine"`
	Version string         `json:"version"`  // of Rescind: the commit, if the build knows it
	Modules []Module       `json:"versions"` // what else was measured or took part
	Setting map[string]any `json:"settings"`
	Noise   []string       `json:"noise"` // why the figures are to be doubted; empty on a calm machine

	// Figures are the results by dotted names. Names are a contract: scripts
	// read them. The last part is the unit (p50_ms, ns, bytes, per_second),
	// or ratio.RIVAL, or a count.
	Figures map[string]float64 `json:"figures"`

	// Samples are the values of a figure in each round, for [Diff]. The figure
	// is their median.
	Samples map[string][]float64 `json:"samples"`

	// Better says of a figure whether less or more is better, where its name
	// does not say so ([Direction]).
	Better map[string]Better `json:"better,omitempty"`

	// Highlights are what a reader in a hurry takes away, at the top of the page.
	Highlights []Highlight `json:"highlights,omitempty"`

	// Blocks are the page, from top to bottom.
	Blocks []Block `json:"blocks"`

	// Parts are the results of several commands, which the page shows one after
	// the other. Figures, samples and settings hold theirs as well.
	Parts []*Result `json:"parts,omitempty"`

	// Output is where the command's flags send it.
	Output Output `json:"-"`

	before pressure // when the command began
}

// Module is something of which the version matters: a module, a database, a
// broker.
type Module struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Highlight is one figure in large letters and what it is.
type Highlight struct {
	Value string `json:"value"` // with its unit: "1.2 ms"
	Label string `json:"label"`
	Bad   bool   `json:"bad,omitempty"` // a promise was broken
}

// New returns the result of a command that begins now. It looks at the machine.
func New(name string) *Result {
	r := &Result{
		Name: name, Title: name, Started: time.Now(), Machine: thisMachine(),
		Setting: map[string]any{}, Noise: []string{}, Figures: map[string]float64{}, Samples: map[string][]float64{}, Better: map[string]Better{},
		before: readPressure(),
	}
	r.Version, r.Modules = versions()
	r.Machine.Load = r.before.load
	return r
}

// Set enters a figure that was measured once, or that is a count.
func (r *Result) Set(figure string, value float64) { r.Figures[figure] = value }

// Rounds enters a figure that was measured in several rounds: their median,
// and the rounds themselves. No rounds enter nothing.
func (r *Result) Rounds(figure string, values []float64) {
	if len(values) == 0 {
		return
	}
	r.Samples[figure] = slices.Clone(values)
	r.Figures[figure] = Median(values)
}

// Settings notes settings of the run, name and value in turn, as
// encoding/json takes them. Never pass a secret.
func (r *Result) Settings(pairs ...any) {
	for i := 0; i+1 < len(pairs); i += 2 {
		r.Setting[pairs[i].(string)] = pairs[i+1]
	}
}

// Highlight adds a figure to the top of the page.
func (r *Result) Highlight(value, label string) {
	r.Highlights = append(r.Highlights, Highlight{Value: value, Label: label})
}

// HighlightZero adds a count that must be 0 to the top of the page.
func (r *Result) HighlightZero(count int, label string) {
	r.Highlights = append(r.Highlights, Highlight{Value: Number(float64(count)), Label: label, Bad: count != 0})
}

// Include adds the result of another command.
func (r *Result) Include(part *Result) {
	r.Parts = append(r.Parts, part)
	maps.Copy(r.Figures, part.Figures)
	maps.Copy(r.Samples, part.Samples)
	for name := range part.Figures {
		r.Better[name] = part.Direction(name)
	}
	for name, value := range part.Setting {
		r.Setting[part.Name+"."+name] = value
	}
	for _, why := range part.Noise {
		r.Noise = append(r.Noise, part.Name+": "+why)
	}
}

// Uses notes the version of something that was measured or took part.
func (r *Result) Uses(name, version string) {
	r.Modules = append(r.Modules, Module{name, version})
}

// Doubt notes a reason to doubt the figures.
func (r *Result) Doubt(reason string) { r.Noise = append(r.Noise, reason) }

// Finish notes how long it took and what on the machine may have disturbed it.
// The second call does nothing.
func (r *Result) Finish() {
	if r.Seconds > 0 {
		return
	}
	r.Seconds = time.Since(r.Started).Seconds()
	r.Noise = append(r.Noise, r.disturbances(readPressure())...)
}
