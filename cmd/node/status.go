package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// clusterView is what the tables show of GET /v1/cluster.
type clusterView struct {
	Cluster, Name, Version string
	Ready                  bool
	Reasons                []string
	UptimeMS               float64  `json:"uptime_ms"`
	StalenessMS            *float64 `json:"staleness_ms"`
	Bound                  string
	Quorum                 *quorumView
	Members                []struct {
		Name, State string
		StalenessMS *float64 `json:"staleness_ms"`
		LastHeardMS float64  `json:"last_heard_ms"`
		Behind      uint64
		Unacked     uint64
	}
	Revocations struct{ Total, Max int }
	Carriers    []struct {
		Name      string
		Connected bool
		LastError string `json:"last_error"`
	}
	Settings struct {
		Digest      string
		Failing     []string
		NeedRestart []string `json:"need_restart"`
	}
	Problems []struct{ Severity, What, Meaning, Do string }
}

func runStatus(ctx context.Context, e env) error {
	return showCluster(ctx, e, "status", func(w io.Writer, v clusterView) {
		row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
		row("node", "%s of cluster %s", v.Name, v.Cluster)
		row("version", "%s, up %s", v.Version, time.Duration(v.UptimeMS*float64(time.Millisecond)).Round(time.Second))
		row("ready", "%v", v.Ready)
		row("staleness", "%s", millis(v.StalenessMS))
		row("revocations", "%d of %d", v.Revocations.Total, v.Revocations.Max)
		row("members", "%s", states(v))
		if v.Quorum != nil {
			row("majority", "%s", v.Quorum)
		}
		for _, c := range v.Carriers {
			switch {
			case c.Connected:
				row(c.Name, "connected")
			case c.LastError == "":
				row(c.Name, "down")
			default:
				row(c.Name, "down: %s", strings.Join(strings.Fields(c.LastError), " "))
			}
		}
		if s := v.Settings; s.Digest != "" {
			row("settings", "%s", s.Digest)
			if len(s.Failing) > 0 {
				row("", "can't be read again: %s", strings.Join(s.Failing, ", "))
			}
			if len(s.NeedRestart) > 0 {
				row("", "take a restart to change: %s", strings.Join(s.NeedRestart, ", "))
			}
		}
		for _, r := range v.Reasons {
			row("note", "%s", r)
		}
		for _, p := range v.Problems {
			row(p.Severity, "%s", p.What)
			row("", "%s", p.Meaning)
			row("", "What to do: %s", p.Do)
		}
	})
}

// states says how many of the other members are in which state.
func states(v clusterView) string {
	count := map[string]int{}
	for _, m := range v.Members {
		count[m.State]++
	}
	var parts []string
	for _, state := range slices.Sorted(maps.Keys(count)) {
		parts = append(parts, fmt.Sprintf("%d %s", count[state], state))
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}

func runMembers(ctx context.Context, e env) error {
	if len(e.args) > 0 && e.args[0] == "accept-loss" {
		e.args = e.args[1:]
		return acceptLoss(ctx, e)
	}
	return showCluster(ctx, e, "members", func(w io.Writer, v clusterView) {
		if q := v.Quorum; q != nil {
			defer fmt.Fprintf(w, "\n%s\n", q)
		}
		fmt.Fprintln(w, "NAME\tSTATE\tSTALENESS\tLAST HEARD\tBEHIND\tUNACKED")
		for _, m := range v.Members {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\n", m.Name, m.State, millis(m.StalenessMS), millis(&m.LastHeardMS), m.Behind, m.Unacked)
		}
	})
}

func millis(ms *float64) string {
	if ms == nil {
		return "unknown"
	}
	return fmt.Sprintf("%.0f ms", *ms)
}

func showCluster(ctx context.Context, e env, name string, table func(io.Writer, clusterView)) error {
	fs := newFlags(e, name, name+" [--addr HOST:PORT] --admin-token-file FILE [--json]")
	flags := addClientFlags(fs, adminAddr)
	if err := parse(fs, e, 0); err != nil {
		return err
	}
	c, err := flags.client()
	if err != nil {
		return err
	}
	status, answer, err := c.do(ctx, http.MethodGet, "/v1/cluster", c.admin, nil)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return problemOf(status, answer)
	}
	if c.json {
		_, err := e.stdout.Write(legibleJSON(answer))
		return err
	}
	var v clusterView
	if err := decodeAnswer(answer, &v); err != nil {
		return fmt.Errorf("read the node's answer: %w", err)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 8, 2, ' ', 0)
	table(w, v)
	return w.Flush()
}
