package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
)

// clusterView is what the tables show of GET /v1/cluster.
type clusterView struct {
	Cluster, Name string
	Ready         bool
	Reasons       []string
	StalenessMS   *float64 `json:"staleness_ms"`
	Members       []struct {
		Name, State string
		StalenessMS *float64 `json:"staleness_ms"`
		LastHeardMS float64  `json:"last_heard_ms"`
		Behind      uint64
		Unacked     uint64
	}
	Revocations struct{ Total, Max int }
}

func runStatus(ctx context.Context, e env) error {
	return showCluster(ctx, e, "status", func(w io.Writer, v clusterView) {
		fmt.Fprintf(w, "node\t%s of cluster %s\nready\t%v\nstaleness\t%s\nrevocations\t%d of %d\nmembers\t%d\n",
			v.Name, v.Cluster, v.Ready, millis(v.StalenessMS), v.Revocations.Total, v.Revocations.Max, len(v.Members))
		for _, r := range v.Reasons {
			fmt.Fprintf(w, "note\t%s\n", r)
		}
	})
}

func runMembers(ctx context.Context, e env) error {
	return showCluster(ctx, e, "members", func(w io.Writer, v clusterView) {
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
		_, err := e.stdout.Write(answer)
		return err
	}
	var v clusterView
	if err := json.Unmarshal(answer, &v); err != nil {
		return fmt.Errorf("read the node's answer: %w", err)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 8, 2, ' ', 0)
	table(w, v)
	return w.Flush()
}
