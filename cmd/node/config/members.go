package config

import (
	"errors"
	"slices"
	"strings"

	"rescind"
)

// members reads the names of cluster.members. Their order says nothing.
func members() codec {
	return codec{
		store: func(c *Config, v value) error {
			var names []string
			for name := range strings.SplitSeq(v.text, ",") {
				if name = strings.TrimSpace(name); name != "" { // else a trailing comma
					names = append(names, name)
				}
			}
			slices.Sort(names)
			if n := len(names); n != 0 && n != 1 && (n < 3 || n > 9) || len(slices.Compact(slices.Clone(names))) != n ||
				slices.ContainsFunc(names, func(s string) bool { return len(s) > 64 }) {
				return errors.New("the names of one node, or of 3 to 9 different ones, each of at most 64 bytes")
			}
			c.Cluster.Members = names
			return nil
		},
		show: func(c *Config) any { return c.Cluster.Members },
	}
}

// namedMembers checks what goes with cluster.members.
func (r *reading) namedMembers(c *Config) {
	if len(c.Cluster.Members) == 0 {
		return
	}
	bad := func(key, want string) { r.bad(key, r.values[key], want) }
	if c.Node.Name != "" && !slices.Contains(c.Cluster.Members, c.Node.Name) {
		bad("cluster.members", "name this node ("+c.Node.Name+") too, or leave it out and set cluster.follow: a node that keeps no revocations follows the members")
	}
	if c.Store.Kind == "jetstream" {
		bad("cluster.members", "leave it out with store.kind: jetstream, where JetStream has the majority")
	}
	if c.Revocations.Isolated == "refuse" {
		bad("revocations.isolated", "leave it out with cluster.members, whose staleness bound is absolute by itself")
	}
	if len(c.Cluster.Members) > 1 && c.Gossip.Bind == "" && c.NATS.URL == "" && c.NATS.Embedded == "" {
		bad("cluster.members", "set gossip.join or nats.url, by which the members reach each other")
	}
	if c.sources["revocations.ack"] == "default" {
		c.Revocations.Ack = rescind.AckMajority
		c.sources["revocations.ack"] = "from cluster.members"
	}
}
