package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// issuerList is tokens.issuers: the list in the settings file, or the path of a
// file with the list.
func issuerList() codec {
	return codec{
		store: func(c *Config, v value) error {
			root, file := v.list, v.file
			if root == nil && v.text != "" {
				var p *Problem
				if root, p = document(v.text, "tokens.issuers", v.read); p != nil {
					if p.Source == v.text {
						p.Source = v.source // which asked for the file
					}
					return &Error{[]Problem{*p}}
				}
				file = v.text
			}
			if root == nil {
				return nil
			}
			l := issuerLoad{file: file}
			l.list(root)
			if len(l.problems) > 0 {
				return &Error{l.problems}
			}
			c.Tokens.Issuers = l.issuers
			if v.list == nil {
				c.files = append(c.files, file)
			}
			return nil
		},
		show: func(c *Config) any { return c.Tokens.Issuers },
	}
}

// issuerLoad collects the entries of one list and what is wrong with them.
type issuerLoad struct {
	file     string
	issuers  []Issuer
	problems []Problem

	published map[string]string // the issuer by the names of its PublishStatus
}

func (l *issuerLoad) bad(key, text string, n *yaml.Node, want string) {
	l.problems = append(l.problems, Problem{key, withoutPassword(text), at(l.file, n.Line), want})
}

const issuerFields = "issuer, audience, logout-audience, events-audience, events-poll-url, events-poll-token-file, events-subjects, events-only, algorithms, jwks-url, jwks-file, hs256-secret-file, decryption-keys-file, status-lists, status-jwks-url, accept-unknown-status, publish-status, types, auth-time, allow-no-exp"

func (l *issuerLoad) list(root *yaml.Node) {
	if root.Kind != yaml.SequenceNode {
		l.bad("tokens.issuers", root.Value, root, "use a list whose entries have "+issuerFields)
		return
	}
	seen := map[string]int{}
	for k, n := range root.Content {
		key := fmt.Sprintf("tokens.issuers[%d]", k)
		i, ok := l.entry(key, n)
		if !ok {
			continue
		}
		if line, again := seen[i.Issuer]; again && i.Issuer != "" {
			l.bad(key+".issuer", i.Issuer, fieldOf(n, "issuer"), fmt.Sprintf("use each issuer once; it is on line %d already", line))
		}
		seen[i.Issuer] = fieldOf(n, "issuer").Line
		l.check(key, &i, n)
		l.issuers = append(l.issuers, i)
	}
}

// entry reads one entry. It returns false where the rest of the checks would
// only repeat what it reported.
func (l *issuerLoad) entry(key string, n *yaml.Node) (i Issuer, ok bool) {
	if n.Kind != yaml.MappingNode {
		l.bad(key, n.Value, n, "use an entry with "+issuerFields)
		return i, false
	}
	before := len(l.problems)
	seen := map[string]bool{}
	for k := 0; k+1 < len(n.Content); k += 2 {
		name, v := n.Content[k], n.Content[k+1]
		field := key + "." + name.Value
		switch {
		case seen[name.Value]:
			l.bad(field, "", name, "use each key once")
		case isNull(v):
		case !l.field(&i, field, name.Value, v):
			want := "there is no such field; use " + issuerFields
			if near := nearest(name.Value, strings.Split(issuerFields, ", ")); near != "" {
				want = "there is no such field; did you mean " + near + "?"
			}
			l.bad(field, "", name, want)
		}
		seen[name.Value] = true
	}
	return i, len(l.problems) == before
}

// field stores one field and returns false if there is none of that name.
func (l *issuerLoad) field(i *Issuer, key, name string, v *yaml.Node) bool {
	texts := map[string]*string{"issuer": &i.Issuer, "decryption-keys-file": &i.DecryptionKeysFile, "status-jwks-url": &i.StatusJWKSURL, "events-poll-url": &i.EventsPollURL, "events-poll-token-file": &i.EventsPollTokenFile}
	for source, field := range i.sources() {
		texts[source] = field
	}
	lists := map[string]*[]string{"audience": &i.Audience, "logout-audience": &i.LogoutAudience, "events-audience": &i.EventsAudience, "events-subjects": &i.EventsSubjects, "algorithms": &i.Algorithms, "types": &i.Types, "status-lists": &i.StatusLists, "publish-status": &i.PublishStatus}
	flags := map[string]*bool{"auth-time": &i.AuthTime, "allow-no-exp": &i.AllowNoExp, "accept-unknown-status": &i.AcceptUnknownStatus, "events-only": &i.EventsOnly}
	switch text, many, flag := texts[name], lists[name], flags[name]; {
	case text == nil && many == nil && flag == nil:
		return false
	case flag != nil:
		*flag = v.Value == "true"
		if v.Kind != yaml.ScalarNode || v.Value != "true" && v.Value != "false" {
			l.bad(key, v.Value, v, "use true or false")
		}
	case text != nil && v.Kind == yaml.ScalarNode:
		*text = v.Value
	case many != nil && name != "algorithms" && v.Kind == yaml.ScalarNode:
		*many = []string{v.Value}
	case many != nil && v.Kind == yaml.SequenceNode:
		all, plain := strs(v)
		if !plain {
			l.bad(key, "", v, "use a list of plain values")
		}
		*many = all
	case many != nil:
		l.bad(key, v.Value, v, "use a list, such as [RS256, ES256]")
	default:
		l.bad(key, "", v, "use a single value")
	}
	return true
}
