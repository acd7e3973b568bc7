package config

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Loader says where settings come from.
type Loader struct {
	Args     []string                     // flags, after the command's name
	Environ  []string                     // as os.Environ returns it
	ReadFile func(string) ([]byte, error) // nil means os.ReadFile
	Output   io.Writer                    // for the text of --help; nil means os.Stderr
}

// Problem is one thing that is wrong.
type Problem struct {
	Key    string // setting, or what was taken for one
	Value  string
	Source string // "node.yaml:3", "RESCIND_HTTP_ADDR", "--http.addr" or "default"
	Want   string // what would be right
}

// String returns the problem as one line.
func (p Problem) String() string {
	if p.Value == "" {
		return fmt.Sprintf("%s (%s): use %s", p.Key, p.Source, p.Want)
	}
	return fmt.Sprintf("%s is %.80q (%s): use %s", p.Key, p.Value, p.Source, p.Want)
}

// Error lists everything that is wrong with the settings.
type Error struct{ Problems []Problem }

func (e *Error) Error() string {
	lines := []string{"the settings can't be used:"}
	for _, p := range e.Problems {
		lines = append(lines, "  "+p.String())
	}
	return strings.Join(lines, "\n")
}

// value is a setting as given.
type value struct {
	text   string
	source string
	list   *yaml.Node // of tokens.issuers in the file
	read   func(string) ([]byte, error)
}

// Load reads, merges and checks all settings. The error is flag.ErrHelp after
// --help, and an *Error for settings that can't be used.
func (l Loader) Load() (*Config, error) {
	if l.ReadFile == nil {
		l.ReadFile = os.ReadFile
	}
	if l.Output == nil {
		l.Output = os.Stderr
	}
	settings := Settings()
	r := &reading{known: map[string]bool{}, values: map[string]value{}}
	for _, s := range settings {
		r.known[s.Key] = true
		r.values[s.Key] = value{text: s.Default, source: "default"}
	}
	flags, file, err := r.flags(l.Args)
	if err != nil {
		printUsage(l.Output, settings)
		return nil, err
	}
	env := r.environ(l.Environ)
	if path := cmp.Or(file, env[configKey].text); path != "" {
		r.file(path, l.ReadFile)
	}
	delete(env, configKey)
	for _, layer := range []map[string]value{env, flags} { // in this order: later ones win
		for k, v := range layer {
			r.values[k] = v
		}
	}
	c := &Config{values: r.values}
	for _, s := range settings {
		v := r.values[s.Key]
		v.read = l.ReadFile
		if err := s.set(c, v); err != nil {
			r.bad(s.Key, v, err.Error())
		}
	}
	if len(r.problems) == 0 {
		c.complete(r)
	}
	if len(r.problems) > 0 {
		return nil, &Error{r.problems}
	}
	return c, nil
}

// configKey names the file itself, as --config and RESCIND_CONFIG.
const configKey = "config"

// reading collects values and problems.
type reading struct {
	known    map[string]bool
	values   map[string]value
	problems []Problem
}

func (r *reading) bad(key string, v value, want string) {
	r.problems = append(r.problems, Problem{key, v.text, v.source, want})
}

// flags reads --key value and --key=value. A flag that is given twice is a list.
func (r *reading) flags(args []string) (values map[string]value, file string, err error) {
	values = map[string]value{}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "-h" || arg == "-help" || arg == "--help" {
			return nil, "", flag.ErrHelp
		}
		key, text, joined := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		v := value{text: text, source: "--" + key}
		switch {
		case !strings.HasPrefix(arg, "-"):
			r.bad(arg, value{source: "argument"}, "flags only, --section.key value")
			continue
		case key != configKey && !r.known[key]:
			r.unknown("--"+key, key, "flag")
		case !joined && len(args) == 0 && key != "nats.embedded":
			r.bad(key, v, "a value after the flag")
			continue
		}
		if !joined && key == "nats.embedded" && (len(args) == 0 || strings.HasPrefix(args[0], "-")) {
			v.text = "true" // it reads like a switch
		} else if !joined && len(args) > 0 {
			v.text, args = args[0], args[1:]
		}
		if key == configKey {
			file = v.text
			continue
		}
		if before, again := values[key]; again && key == "gossip.join" {
			v.text = before.text + "," + v.text
		}
		if r.known[key] {
			values[key] = v
		}
	}
	return values, file, nil
}

const envPrefix = "RESCIND_"

func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
}

// injected matches what Kubernetes sets in every pod for a Service whose name
// begins with rescind.
var injected = regexp.MustCompile(`^RESCIND(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// environ reads the variables that begin with RESCIND_. An empty one counts as
// not set.
func (r *reading) environ(environ []string) map[string]value {
	keys := map[string]string{envName(configKey): configKey}
	for k := range r.known {
		keys[envName(k)] = k
	}
	values := map[string]value{}
	for _, pair := range environ {
		name, text, _ := strings.Cut(pair, "=")
		key, known := keys[name]
		switch {
		case !strings.HasPrefix(name, envPrefix) || text == "":
		case known:
			values[key] = value{text: text, source: name}
		case !injected.MatchString(name):
			r.unknown(name, strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, envPrefix)), "_", "."), "environment")
		}
	}
	return values
}

// unknown reports a key that is no setting, with the nearest that is.
func (r *reading) unknown(given, key, source string) {
	want := "one of the keys that 'rescind serve -h' lists"
	if near := r.nearest(key); near != "" {
		want = near + "? There is no such setting as the one given"
	}
	r.problems = append(r.problems, Problem{Key: given, Source: source, Want: want})
}

// nearest returns the known key that needs the fewest changes, if few do.
func (r *reading) nearest(key string) string {
	best, least := "", 4
	for _, k := range slices.Sorted(keysOf(r.known)) {
		a, b := strings.ReplaceAll(k, "-", "."), strings.ReplaceAll(key, "-", ".")
		if d := distance(a, b); d < least {
			best, least = k, d
		}
	}
	return best
}

func keysOf(m map[string]bool) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// distance is Levenshtein's.
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

func printUsage(w io.Writer, settings []Setting) {
	fmt.Fprint(w, "Usage: rescind serve [--config node.yaml] [--section.key value ...]\n\nEvery setting is also a key in the file and an environment variable.\n\n")
	for _, s := range settings {
		fmt.Fprintf(w, "  --%s (%s", s.Key, s.Env())
		if s.Default != "" {
			fmt.Fprintf(w, ", default %s", s.Default)
		}
		fmt.Fprintf(w, ")\n      %s\n", s.Doc)
	}
}
