package config

import (
	"fmt"
	"io"
	"strings"
)

// flags reads --key value and --key=value, with one dash or two. The last of
// a repeated flag wins, except that lists add up. It does not use
// package flag, which stops at the first problem.
func (r *reading) flags(args []string) (values map[string]value, help bool) {
	values = map[string]value{}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if !isFlag(arg) {
			r.bad(withoutPassword(arg), value{source: "argument"}, "use flags only, as in --http.addr 127.0.0.1:8080")
			continue
		}
		key, text, joined := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		if key == "h" || key == "help" {
			return nil, true
		}
		v := value{text: text, source: "--" + key}
		following := len(args) > 0 && !isFlag(args[0])
		if !joined && following {
			v.text, args = args[0], args[1:]
		}
		switch {
		case !r.known[key] && key != configKey:
			r.unknown(v.source, "flag", key, func(k string) string { return "--" + k })
			continue
		case !joined && !following && key == "nats.embedded":
			v.text = "true" // it reads like a switch
		case !joined && !following:
			r.bad(key, v, "use a value after the flag")
			continue
		}
		if before, again := values[key]; again && lists[key] != "" {
			v.text = before.text + "," + v.text
		}
		values[key] = v
	}
	return values, false
}

// isFlag tells --log.level from a value such as -1 or "-".
func isFlag(arg string) bool {
	return len(arg) > 1 && arg[0] == '-' && (arg[1] < '0' || arg[1] > '9')
}

func writeUsage(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`Usage: rescind serve [--config node.yaml] [--section.key value ...]

Every setting is a flag, an environment variable and a key in the YAML file,
nested as in
  http:
    addr: 127.0.0.1:8080
A flag beats the environment, which beats the file, which beats the default. An
empty environment variable counts as not set. 'rescind config print' shows what
is in force and where it comes from.

  --config (RESCIND_CONFIG)
      settings file, YAML
`)
	for _, s := range Settings() {
		fmt.Fprintf(&b, "  --%s (%s", s.Key, s.Env)
		if s.Default != "" {
			fmt.Fprintf(&b, ", default %s", s.Default)
		}
		fmt.Fprintf(&b, ")\n      %s\n", s.Doc)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
