package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document reads the file at path and returns the root of its one YAML
// document, or nil if it is empty. A problem carries the line where it can.
func document(path, key string, read func(string) ([]byte, error)) (*yaml.Node, *Problem) {
	b, err := read(path)
	if err != nil {
		return nil, &Problem{key, path, path, "use a file that can be read: " + cause(err).Error()}
	}
	if len(b) > maxFile {
		return nil, &Problem{key, path, path, "use a file of at most 1 MiB"}
	}
	root, line, err := parse(b)
	if err != nil {
		p := &Problem{Key: key, Source: at(path, line), Want: "use " + err.Error()}
		if line == 0 {
			p.Value = path // or nothing would name it
		}
		return nil, p
	}
	return root, nil
}

func parse(b []byte) (root *yaml.Node, line int, err error) {
	if json.Valid(b) {
		// Tabs may indent JSON but not YAML. None of them stands in a string,
		// where JSON does not allow them.
		b = bytes.ReplaceAll(b, []byte("\t"), []byte(" "))
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, 0, nil
	} else if err != nil {
		return nil, lineOf(err), fmt.Errorf("valid YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, more.Line, errors.New("one YAML document, not several")
	}
	if len(doc.Content) == 0 || isNull(doc.Content[0]) {
		return nil, 0, nil
	}
	if n := fancy(doc.Content[0]); n != nil {
		return nil, n.Line, errors.New("plain YAML, without anchors, aliases and tags")
	}
	return doc.Content[0], 0, nil
}

// fancy returns the first node with an anchor, alias or tag. Settings don't
// need them; aliases can make a small file a huge one, and a tag can change
// what a value means.
func fancy(n *yaml.Node) *yaml.Node {
	if n.Anchor != "" || n.Kind == yaml.AliasNode || n.Style&yaml.TaggedStyle != 0 {
		return n
	}
	for _, c := range n.Content {
		if f := fancy(c); f != nil {
			return f
		}
	}
	return nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

var yamlLine = regexp.MustCompile(`line ([0-9]+)`)

// lineOf returns the line in an error of package yaml, or 0.
func lineOf(err error) int {
	var line int
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		fmt.Sscan(m[1], &line)
	}
	return line
}

// at returns "path:line", or path alone where the line is not known.
func at(path string, line int) string {
	if line == 0 {
		return path
	}
	return fmt.Sprintf("%s:%d", path, line)
}

// strs returns the scalars of a sequence, and false if it holds anything else.
func strs(n *yaml.Node) ([]string, bool) {
	var all []string
	for _, m := range n.Content {
		if m.Kind != yaml.ScalarNode || isNull(m) {
			return nil, false
		}
		all = append(all, m.Value)
	}
	return all, true
}
