package config

import (
	"errors"
	"flag"
	"io"
	"os"
	"unicode/utf8"
)

// Loader says where settings come from.
type Loader struct {
	Args     []string                     // flags, after the command's name
	Environ  []string                     // as os.Environ returns it
	ReadFile func(string) ([]byte, error) // nil means os.ReadFile, up to 1 MiB
	Output   io.Writer                    // for the text of --help; nil means os.Stderr

	// CgroupMemory returns the memory limit of the control group that the process is
	// in, in bytes, or 0. nil means that there is none.
	CgroupMemory func() int64
}

// Load reads, merges and checks all settings. The error is flag.ErrHelp after
// --help, whatever else is wrong, and otherwise an *Error that lists every
// problem.
func (l Loader) Load() (*Config, error) {
	r := newReading(l)
	flags, help := r.flags(l.Args)
	if help {
		output := l.Output
		if output == nil {
			output = os.Stderr
		}
		if err := writeUsage(output); err != nil {
			return nil, err
		}
		return nil, flag.ErrHelp
	}
	environ := r.environ(l.Environ)
	path, given := flags[configKey]
	if !given {
		path = environ[configKey]
	}
	if path.text != "" {
		r.file(path)
		r.used = append(r.used, path.text)
	}
	r.merge(environ)
	r.merge(flags)
	c := r.store()
	r.derive(c)
	r.deriveMemory(c, l)
	if len(r.problems) > 0 {
		return nil, &Error{r.problems}
	}
	return c, nil
}

// configKey names the settings file, as --config and RESCIND_CONFIG. It is no
// setting: a file can't name another.
const configKey = "config"

// reading collects values and problems.
type reading struct {
	settings []setting
	known    map[string]bool  // keys of settings
	values   map[string]value // of every key, the one that wins so far
	problems []Problem
	read     func(string) ([]byte, error)
	used     []string // the files that hold settings
}

func newReading(l Loader) *reading {
	r := &reading{settings: table(), known: map[string]bool{}, values: map[string]value{}, read: l.ReadFile}
	if r.read == nil {
		r.read = readFile
	}
	for _, s := range r.settings {
		r.known[s.Key] = true
		r.values[s.Key] = value{text: s.Default, source: "default"}
	}
	return r
}

// merge lets the values of a layer win over what was read before.
func (r *reading) merge(layer map[string]value) {
	for key, v := range layer {
		if r.known[key] {
			r.values[key] = v
		}
	}
}

// errNotUTF8 keeps out what neither the log nor Print could show as it is.
var errNotUTF8 = errors.New("valid UTF-8")

// store parses every value.
func (r *reading) store() *Config {
	c := &Config{sources: map[string]string{}, read: r.read, files: r.used}
	for _, s := range r.settings {
		v := r.values[s.Key]
		v.read = r.read
		c.sources[s.Key] = v.source
		err := errNotUTF8
		if utf8.ValidString(v.text) {
			err = s.store(c, v)
		}
		var several *Error
		switch {
		case errors.As(err, &several):
			r.problems = append(r.problems, several.Problems...)
		case err != nil:
			r.bad(s.Key, v, "use "+err.Error())
		}
	}
	return c
}

func (r *reading) bad(key string, v value, want string) {
	r.problems = append(r.problems, Problem{key, withoutPassword(v.text), v.source, want})
}
