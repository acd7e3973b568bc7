package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"rescind/cmd/node/config"
)

// runCompletion prints a script that completes commands and flags in a shell.
func runCompletion(ctx context.Context, e env) error {
	fs := newFlags(e, "completion", "completion bash|zsh|fish\n\nPrints a script for the shell:\n  bash  source <(rescind completion bash)\n  zsh   source <(rescind completion zsh)\n  fish  rescind completion fish | source")
	if err := parse(fs, e, 1); err != nil {
		return err
	}
	words := completions(ctx)
	var script string
	switch fs.Arg(0) {
	case "bash":
		script = bashScript(words)
	case "zsh":
		script = "autoload -U +X bashcompinit && bashcompinit\n" + bashScript(words)
	case "fish":
		script = fishScript(words)
	default:
		return usage("completion: name a shell: bash, zsh or fish")
	}
	_, err := fmt.Fprint(e.stdout, script)
	return err
}

// verbs are the words behind commands that have some.
var verbs = map[string][]string{
	"keys":       {"generate", "rotate", "list", "token", "admin", "hash"},
	"config":     {"check", "print"},
	"completion": {"bash", "zsh", "fish"},
}

var flagInHelp = regexp.MustCompile(`(?m)^  -([a-z][a-z0-9._-]*)`)

// completions returns what may follow each command: its verbs, and its flags as
// its own help tells them.
func completions(ctx context.Context) map[string][]string {
	words := map[string][]string{}
	for _, c := range commands() {
		words[c.name] = append(words[c.name], verbs[c.name]...)
		switch c.name {
		case "serve", "config":
			words[c.name] = append(words[c.name], "--config")
			for _, s := range config.Settings() {
				words[c.name] = append(words[c.name], "--"+s.Key)
			}
			continue
		}
		asked := [][]string{{c.name, "-h"}}
		if c.name == "keys" {
			asked = nil
			for _, v := range verbs[c.name] {
				asked = append(asked, []string{c.name, v, "-h"})
			}
		}
		for _, args := range asked {
			var help bytes.Buffer
			run(ctx, env{args, strings.NewReader(""), &help, &help})
			for _, m := range flagInHelp.FindAllStringSubmatch(help.String(), -1) {
				if flag := "--" + m[1]; !slices.Contains(words[c.name], flag) {
					words[c.name] = append(words[c.name], flag)
				}
			}
		}
	}
	return words
}

// bashScript completes the command, then its words, else names of files.
func bashScript(words map[string][]string) string {
	var b strings.Builder
	b.WriteString("_rescind() {\n  local cur=${COMP_WORDS[COMP_CWORD]} words=\"\"\n  if [ \"$COMP_CWORD\" -eq 1 ]; then\n")
	names := slices.Sorted(maps.Keys(words))
	fmt.Fprintf(&b, "    words=%q\n  else\n    case ${COMP_WORDS[1]} in\n", strings.Join(names, " "))
	for _, name := range names {
		if len(words[name]) > 0 {
			fmt.Fprintf(&b, "      %s) words=%q ;;\n", name, strings.Join(words[name], " "))
		}
	}
	b.WriteString("    esac\n  fi\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o default -F _rescind rescind\n")
	return b.String()
}

func fishScript(words map[string][]string) string {
	var b strings.Builder
	for _, c := range commands() {
		fmt.Fprintf(&b, "complete -c rescind -n __fish_use_subcommand -f -a %s -d '%s'\n", c.name, strings.ReplaceAll(c.summary, "'", `\'`))
		for _, w := range words[c.name] {
			how := "-f -a " + w
			if flag, ok := strings.CutPrefix(w, "--"); ok {
				how = "-l " + flag
			}
			fmt.Fprintf(&b, "complete -c rescind -n '__fish_seen_subcommand_from %s' %s\n", c.name, how)
		}
	}
	return b.String()
}
