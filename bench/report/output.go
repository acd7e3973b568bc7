package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
)

// Output is where results go.
type Output struct {
	JSON string // a file for the figures; empty: none
	HTML string // a file for the page; empty: none
}

// Flags adds --json and --out to a command's flags.
func (o *Output) Flags(fs *flag.FlagSet) {
	fs.StringVar(&o.JSON, "json", "", "write the figures to this `file`, for machines and bench diff")
	fs.StringVar(&o.HTML, "out", "", "write a page to this `file`: report.html")
}

// Parse reads a command's flags, and those that every command has.
func (r *Result) Parse(fs *flag.FlagSet, args []string) error {
	r.Output.Flags(fs)
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("there are only flags, but %q is none", fs.Arg(0))
	}
	return nil
}

// Write finishes r and writes the files that were asked for.
func (o Output) Write(r *Result) error {
	r.Finish()
	if o.JSON != "" {
		if err := writeFile(o.JSON, func(w io.Writer) error { return WriteJSON(w, r) }); err != nil {
			return err
		}
	}
	if o.HTML != "" {
		return writeFile(o.HTML, func(w io.Writer) error { return WriteHTML(w, r) })
	}
	return nil
}

func writeFile(path string, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, b.Bytes(), 0o644) // #nosec G306 -- a report is for others to read
}

// WriteJSON writes one result.
func WriteJSON(w io.Writer, r *Result) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// Read reads a file that Write has made.
func Read(path string) (*Result, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &Result{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}
