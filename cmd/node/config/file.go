package config

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"bytes"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds a settings file, in bytes.
const maxFile = 1 << 20

// document returns the root of the one YAML document in b, or nil if it is
// empty. Anchors are refused: settings don't need them, and they can make a
// small file a huge one.
func document(b []byte) (*yaml.Node, error) {
	if len(b) > maxFile {
		return nil, fmt.Errorf("a file of at most %d bytes", maxFile)
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("good YAML (%w)", err)
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("one YAML document")
	}
	root := doc.Content[0]
	if anchored(root) {
		return nil, errors.New("YAML without anchors and aliases")
	}
	if root.Tag == "!!null" {
		return nil, nil
	}
	return root, nil
}

func anchored(n *yaml.Node) bool {
	return n.Anchor != "" || n.Kind == yaml.AliasNode || slices.ContainsFunc(n.Content, anchored)
}

// file reads the settings file.
func (r *reading) file(path string, read func(string) ([]byte, error)) {
	b, err := read(path)
	if err != nil {
		r.bad(configKey, value{text: path, source: "--config or RESCIND_CONFIG"}, "a file that can be read ("+err.Error()+")")
		return
	}
	root, err := document(b)
	if err != nil {
		r.bad(configKey, value{text: path, source: "file"}, err.Error())
		return
	}
	if root != nil {
		r.section(path, "", root)
	}
}

// section reads a mapping of the file; prefix is "" or the section's name.
func (r *reading) section(path, prefix string, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		r.bad(strings.TrimSuffix(prefix, "."), value{source: at(path, n)}, "keys with values, indented below it")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, content := n.Content[i], n.Content[i+1]
		key := prefix + name.Value
		switch {
		case seen[key]:
			r.bad(key, value{source: at(path, name)}, "each key once")
		case r.known[key]:
			r.setting(key, path, content)
		case prefix == "" && r.isSection(key):
			if content.Tag != "!!null" {
				r.section(path, key+".", content)
			}
		default:
			r.unknown(key, key, at(path, name))
		}
		seen[key] = true
	}
}

func (r *reading) isSection(name string) bool {
	for k := range r.known {
		if strings.HasPrefix(k, name+".") {
			return true
		}
	}
	return false
}

func (r *reading) setting(key, path string, n *yaml.Node) {
	v := value{text: n.Value, source: at(path, n)}
	switch {
	case n.Tag == "!!null":
		return
	case n.Kind == yaml.ScalarNode:
	case key == "tokens.issuers" && n.Kind == yaml.SequenceNode:
		v.list = n
	case key == "gossip.join" && n.Kind == yaml.SequenceNode && plainList(n):
		v.text = strings.Join(listOf(n), ",")
	default:
		r.bad(key, v, "a single value")
		return
	}
	r.values[key] = v
}

func plainList(n *yaml.Node) bool {
	return !slices.ContainsFunc(n.Content, func(m *yaml.Node) bool { return m.Kind != yaml.ScalarNode })
}

func listOf(n *yaml.Node) []string {
	var all []string
	for _, m := range n.Content {
		all = append(all, m.Value)
	}
	return all
}

func at(path string, n *yaml.Node) string { return fmt.Sprintf("%s:%d", path, n.Line) }
