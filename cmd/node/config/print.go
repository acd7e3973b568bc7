package config

import (
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Print writes every setting in force as a settings file that loads to the
// same Config, with a comment on where each comes from. It shows the paths of
// secrets and never their content.
func (c *Config) Print(w io.Writer) error {
	root := &yaml.Node{Kind: yaml.MappingNode}
	sections := map[string]*yaml.Node{}
	for _, s := range table() {
		name, key, _ := strings.Cut(s.Key, ".")
		section := sections[name]
		if section == nil {
			section = &yaml.Node{Kind: yaml.MappingNode}
			sections[name] = section
			root.Content = append(root.Content, scalar(name), section)
		}
		k, v := scalar(key), node(s.show(c))
		if v.Kind == yaml.SequenceNode && len(v.Content) > 0 && v.Style != yaml.FlowStyle {
			k.HeadComment = c.sources[s.Key] // a block has no line of its own
		} else {
			v.LineComment = c.sources[s.Key]
		}
		section.Content = append(section.Content, k, v)
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil {
		return err
	}
	return enc.Close()
}

// node returns what a codec's show returned as YAML.
func node(shown any) *yaml.Node {
	switch v := shown.(type) {
	case []string:
		return list(v)
	case []Issuer:
		all := &yaml.Node{Kind: yaml.SequenceNode}
		for _, i := range v {
			all.Content = append(all.Content, issuerNode(i))
		}
		return all
	default:
		s, _ := shown.(string)
		return scalar(s)
	}
}

func issuerNode(i Issuer) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	add := func(name string, v *yaml.Node) { n.Content = append(n.Content, scalar(name), v) }
	add("issuer", scalar(i.Issuer))
	if len(i.Audience) > 0 {
		add("audience", list(i.Audience))
	}
	if len(i.LogoutAudience) > 0 {
		add("logout-audience", list(i.LogoutAudience))
	}
	if len(i.EventsAudience) > 0 {
		add("events-audience", list(i.EventsAudience))
	}
	if i.EventsPollURL != "" {
		add("events-poll-url", scalar(i.EventsPollURL))
	}
	if i.EventsPollTokenFile != "" {
		add("events-poll-token-file", scalar(i.EventsPollTokenFile))
	}
	if len(i.EventsSubjects) > 0 {
		add("events-subjects", list(i.EventsSubjects))
	}
	if i.EventsOnly {
		add("events-only", scalar("true"))
	}
	add("algorithms", list(i.Algorithms))
	for name, field := range i.sources() {
		if *field != "" {
			add(name, scalar(*field))
		}
	}
	if i.DecryptionKeysFile != "" {
		add("decryption-keys-file", scalar(i.DecryptionKeysFile))
	}
	if len(i.StatusLists) > 0 {
		add("status-lists", list(i.StatusLists))
	}
	if i.StatusJWKSURL != "" {
		add("status-jwks-url", scalar(i.StatusJWKSURL))
	}
	if i.AcceptUnknownStatus {
		add("accept-unknown-status", scalar("true"))
	}
	if len(i.PublishStatus) > 0 {
		add("publish-status", list(i.PublishStatus))
	}
	if len(i.Types) > 0 {
		add("types", list(i.Types))
	}
	if i.AuthTime {
		add("auth-time", scalar("true"))
	}
	if i.AllowNoExp {
		add("allow-no-exp", scalar("true"))
	}
	return n
}

func list(all []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, s := range all {
		n.Content = append(n.Content, scalar(s))
	}
	return n
}

// scalar quotes only what a YAML reader would take for nothing: a file keeps
// numbers and words as they are written.
func scalar(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: s}
	if s == "" || s == "~" || strings.EqualFold(s, "null") {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}
