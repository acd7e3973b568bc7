package simulate

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"rescind/bench/report"
	"rescind/gossip"
	"rescind/gossip/gossiptest"
)

func parseSizes(list string) (sizes []int, err error) {
	for part := range strings.SplitSeq(list, ",") {
		if part == "" {
			continue
		}
		n, err := strconv.Atoi(part)
		if err != nil || n < 2 || n > 100_000 {
			return nil, fmt.Errorf("nodes: %q is not a number from 2 to 100000", part)
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}

// scale prints the window for each size, carrier and loss, from real
// cores where the cluster is small enough, and from the model.
func scale(sizes []int, limit int, r *report.Result) {
	if len(sizes) == 0 {
		return
	}
	fmt.Printf("Window in virtual time, ms, on the modelled network %+v.\n", gossiptest.LAN(0))
	fmt.Println("\"each\" is revoke to each other node, \"last\" to the last of them; kB/s is what a node sends all the time, without revocations.")
	fmt.Println()
	t := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', tabwriter.AlignRight)
	shown := report.Table{Title: "Window in virtual time, ms", Columns: []string{"nodes", "carrier", "loss, %", "by", "each p50", "p99", "max", "last p50", "p99", "kB/s a node"}, Folded: true}
	g := growthPlots{}
	fmt.Fprintln(t, "nodes\tcarrier\tloss\tby\teach p50\tp99\tmax\tlast p50\tp99\tkB/s\t")
	for _, n := range sizes {
		for _, c := range spreadCarriers {
			for _, loss := range []float64{0, 0.01, 0.1} {
				row := func(by string, s gossiptest.Spreading) {
					fmt.Fprintf(t, "%d\t%s\t%g %%\t%s\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.0f\t\n", n, c.name, 100*loss, by,
						msAt(s.Each, 0.5), msAt(s.Each, 0.99), msAt(s.Each, 1), msAt(s.Last, 0.5), msAt(s.Last, 0.99), s.Bytes/1000)
					name := fmt.Sprintf("scale.%s.n%d.loss%g.%s.", c.name, n, 100*loss, by)
					for figure, value := range map[string]float64{
						"p50_ms": msAt(s.Each, 0.5), "p99_ms": msAt(s.Each, 0.99), "max_ms": msAt(s.Each, 1), "last.p99_ms": msAt(s.Last, 0.99), "bytes_per_second": s.Bytes,
					} {
						r.Set(name+figure, value)
					}
					shown.Row(n, c.name, 100*loss, by, msAt(s.Each, 0.5), msAt(s.Each, 0.99), msAt(s.Each, 1), msAt(s.Last, 0.5), msAt(s.Last, 0.99), s.Bytes/1000)
					g.add(n, c.name, loss, by, msAt(s.Last, 0.99))
				}
				spread := gossiptest.Spread{Nodes: n, Revocations: 100, Every: 20 * time.Millisecond, Gossip: c.gossip, NATS: c.nats, Network: gossiptest.LAN(loss)}
				if n <= limit {
					row("cores", spread.Run(1))
				}
				row("model", modelSpread(spread))
			}
		}
	}
	t.Flush()
	g.show(r)
	r.Table(shown)
	how := fmt.Sprintf(`How it grows: sending to all takes the origin %v a node by memberlist, so the last node hears after a time that grows with
their number; the NATS server takes that over, at %v a node. A node's beats go to all, so what it sends grows with the
number of nodes as well (views take turns), and what the cluster sends with its square: 0.1 MB/s a node at 30, 0.4 at 100, 4 at
1,000. A node remembers at most 1,000 others: there it ends, and the rows beyond it show what that bound saves one from.
A lost message is noticed by the next of everybody's beats (each every %v) and asked for %v later, whatever the size.
`, gossiptest.LAN(0).SendCost, gossiptest.LAN(0).FanCost, gossip.BeatEvery, repairAfter)
	r.Note(how)
	fmt.Printf("\n%s", how)
}

var spreadCarriers = []struct {
	name         string
	gossip, nats bool
}{{"memberlist", true, false}, {"nats", false, true}, {"both", true, true}}

func msAt(values []time.Duration, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return float64(sorted[int(q*float64(len(sorted)-1)+0.5)].Microseconds()) / 1000
}

// What modelSpread takes from the core: lengths in bytes, and how long a gap
// waits before it is asked for.
const (
	viewBytes   = 31
	beatBytes   = 60
	beatViews   = 30
	repairAfter = 20 * time.Millisecond
	retryFirst  = 100 * time.Millisecond
)

// modelSpread is the core in one formula: the batch goes straight to all. Who has
// not got it hears of it by the next beat that comes and speaks of the origin,
// waits a little, and asks until the answer comes.
func modelSpread(s gossiptest.Spread) (out gossiptest.Spreading) {
	rng := rand.New(rand.NewPCG(uint64(s.Nodes), 1))
	for range s.Revocations {
		last := time.Duration(0)
		for i := range s.Nodes - 1 {
			window, arrives := arrival(s, rng, i)
			if s.Network.Loss > 0 {
				if repair := repaired(s, rng); !arrives || repair < window {
					window = repair
				}
			}
			out.Each = append(out.Each, window)
			last = max(last, window)
		}
		out.Last = append(out.Last, last)
	}
	beat := float64(beatBytes + viewBytes*(1+min(s.Nodes-1, beatViews)))
	rate := 1 / gossip.BeatEvery.Seconds()
	if s.Gossip {
		out.Bytes += beat * rate * float64(s.Nodes-1)
	}
	if s.NATS {
		out.Bytes += beat * rate
	}
	return out
}

// arrival draws when a message to all reaches the i-th other node by the fastest
// carrier, or that it does by none.
func arrival(s gossiptest.Spread, rng *rand.Rand, i int) (after time.Duration, arrives bool) {
	if s.Gossip {
		after, arrives = s.Network.Datagram(rng, i)
	}
	if s.NATS {
		if by := s.Network.Published(rng, i); !arrives || by < after {
			after, arrives = by, true
		}
	}
	return after, arrives
}

// repaired draws when a node has what it missed. Within a beat's time, as many
// beats speak of the origin as there are members, or as a beat has views.
func repaired(s gossiptest.Spread, rng *rand.Rand) time.Duration {
	speaking := float64(min(s.Nodes-1, beatViews))
	at := repairAfter
	for arrives := false; !arrives; {
		at += time.Duration(rng.ExpFloat64() * float64(gossip.BeatEvery) / speaking)
		var after time.Duration
		if after, arrives = arrival(s, rng, 0); arrives {
			at += after
		}
	}
	for wait := retryFirst; ; wait *= 2 {
		there, asked := arrival(s, rng, 0)
		back, answered := arrival(s, rng, 0)
		if asked && answered {
			return at + there + back
		}
		at += wait
	}
}

// growthPlots collects the lines of the plots: the p99 to the last node by the
// number of nodes.
type growthPlots struct {
	byCarrier []report.Line // without loss, by the model
	byLoss    []report.Line // over both carriers, by the model
	cores     []report.Line // real cores beside the model
}

func (g *growthPlots) add(nodes int, carrier string, loss float64, by string, p99 float64) {
	if by == "cores" {
		if loss == 0 {
			extend(&g.cores, carrier+", real cores", nodes, p99)
		}
		return
	}
	if loss == 0 {
		extend(&g.byCarrier, carrier, nodes, p99)
	}
	if carrier == "both" {
		extend(&g.byLoss, fmt.Sprintf("%g %% lost", 100*loss), nodes, p99)
	}
}

func extend(lines *[]report.Line, name string, nodes int, p99 float64) {
	i := slices.IndexFunc(*lines, func(l report.Line) bool { return l.Name == name })
	if i < 0 {
		*lines = append(*lines, report.Line{Name: name, Points: true})
		i = len(*lines) - 1
	}
	l := &(*lines)[i]
	l.X, l.Y = append(l.X, float64(nodes)), append(l.Y, p99)
}

func (g *growthPlots) show(r *report.Result) {
	for i := range g.cores {
		g.cores[i].Dashed = true
	}
	x, y := report.Axis{Label: "Nodes", Log: true}, report.Axis{Label: "p99 to the last node", Unit: "ms", Log: true}
	r.Heading("The window of large clusters")
	r.Note(fmt.Sprintf("In virtual time on a modelled network (%+v): what the protocol and the network take, without processors that are busy. Up to some nodes real cores run; beyond, the formula that they are checked against.", gossiptest.LAN(0)))
	r.Lines(report.Lines{Title: "Window to the last node by the number of nodes, no loss", X: x, Y: y, Lines: append(g.byCarrier, g.cores...)})
	r.Lines(report.Lines{Title: "Window to the last node by the number of nodes, both carriers, with loss", X: x, Y: y, Lines: g.byLoss,
		Caption: "A lost message is noticed by the next beat that tells of the gap, and asked for."})
}
