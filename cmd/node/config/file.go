package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// file reads the settings file that v names.
func (r *reading) file(v value) {
	root, p := document(v.text, configKey, r.read)
	if p != nil {
		if p.Source == v.text {
			p.Source = v.source // which asked for the file
		}
		r.problems = append(r.problems, *p)
		return
	}
	if root == nil {
		return
	}
	path := v.text
	r.mapping(path, "", root, func(name, content *yaml.Node) {
		switch {
		case !r.isSection(name.Value):
			r.notASection(path, name)
		case !isNull(content):
			r.section(path, name.Value, content)
		}
	})
}

// mapping calls each for every key of n. prefix is "" or "section.".
func (r *reading) mapping(path, prefix string, n *yaml.Node, each func(name, content *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		where := strings.TrimSuffix(prefix, ".")
		if where == "" {
			where = configKey
		}
		r.bad(where, value{text: n.Value, source: at(path, n.Line)}, "use keys with values, each on a line of its own")
		return
	}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, content := n.Content[i], n.Content[i+1]
		if line, again := first[name.Value]; again {
			r.bad(prefix+name.Value, value{source: at(path, name.Line)}, fmt.Sprintf("use each key once; it is on line %d already", line))
			continue
		}
		first[name.Value] = name.Line
		each(name, content)
	}
}

func (r *reading) section(path, section string, n *yaml.Node) {
	r.mapping(path, section+".", n, func(name, content *yaml.Node) {
		key := section + "." + name.Value
		switch {
		case !r.known[key]:
			r.unknown(key, at(path, name.Line), key, func(k string) string { return k })
		case !isNull(content):
			r.setting(key, path, content)
		}
	})
}

func (r *reading) setting(key, path string, n *yaml.Node) {
	v := value{text: n.Value, source: at(path, n.Line)}
	switch {
	case n.Kind == yaml.ScalarNode:
	case key == "tokens.issuers" && n.Kind == yaml.SequenceNode:
		v.list, v.file = n, path
	case lists[key] != "" && n.Kind == yaml.SequenceNode:
		all, plain := strs(n)
		if !plain {
			r.bad(key, v, "use a list of "+lists[key])
			return
		}
		v.text = strings.Join(all, ",")
	default:
		r.bad(key, v, "use a single value, not a list and not keys")
		return
	}
	r.values[key] = v
}

func (r *reading) isSection(name string) bool {
	for k := range r.known {
		if strings.HasPrefix(k, name+".") {
			return true
		}
	}
	return false
}

// notASection explains a key at the top level. Writing a setting there in one
// word is the likeliest mistake.
func (r *reading) notASection(path string, name *yaml.Node) {
	source := at(path, name.Line)
	if r.known[name.Value] {
		section, key, _ := strings.Cut(name.Value, ".")
		r.bad(name.Value, value{source: source}, fmt.Sprintf("nest it: %q below %q", key+":", section+":"))
		return
	}
	var sections []string
	for _, s := range r.settings {
		section, _, _ := strings.Cut(s.Key, ".")
		sections = append(sections, section)
	}
	if near := nearest(name.Value, sections); near != "" {
		r.bad(name.Value, value{source: source}, "there is no such section; did you mean "+near+"?")
		return
	}
	r.unknown(name.Value, source, name.Value, func(k string) string { return k })
}
