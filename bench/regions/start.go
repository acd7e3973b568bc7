package regions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"rescind/bench/link"
	"rescind/bench/window"
	"rescind/cluster"
)

// regions is a cluster over several regions in this process. In each region
// nodes gossip among themselves and use the region's NATS server. The server of
// the first region is the hub: those of the others are its leaf nodes, each over
// a link of its own. Real nodes, real servers; only the distance is made.
type regions struct {
	nodes   []*cluster.Node
	of      []int        // the region of each node
	links   []*link.Link // to the hub, from region 1 on
	servers []*server.Server
	options []*server.Options
}

// geography says what to start.
type geography struct {
	regions, nodes int           // nodes in each
	delay          time.Duration // of each link, one way

	ping   time.Duration // how often servers ask whether the other end is there; three in vain are the end
	redial time.Duration // how long a leaf node waits between two tries
}

// withRegions runs f with a fresh cluster that has formed.
func withRegions(ctx context.Context, g geography, f func(*regions) error) (err error) {
	dir, err := os.MkdirTemp("", "rescind-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := &regions{}
	defer func() { err = errors.Join(err, r.close()) }()
	for region := range g.regions {
		if err := r.startServer(g, region); err != nil {
			return err
		}
	}
	for region := range g.regions {
		for i := range g.nodes {
			if err := r.startNode(dir, region, i); err != nil {
				return err
			}
		}
	}
	if err := window.Await(ctx, r.nodes); err != nil {
		return err
	}
	return f(r)
}

// startServer starts the NATS server of a region, and the link to the hub.
func (r *regions) startServer(g geography, region int) error {
	o := &server.Options{
		ServerName: "region-" + regionName(region), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		PingInterval: g.ping, MaxPingsOut: 2,
	}
	// What is sealed does not compress.
	off := server.CompressionOpts{Mode: server.CompressionOff}
	o.LeafNode.Compression, o.LeafNode.ReconnectInterval = off, g.redial
	if region == 0 {
		o.LeafNode.Host, o.LeafNode.Port = "127.0.0.1", server.RANDOM_PORT
		// Else leaf nodes learn the hub's own address, and come back around the link.
		o.LeafNode.NoAdvertise = true
	} else {
		way, err := link.New(fmt.Sprintf("127.0.0.1:%d", r.options[0].LeafNode.Port), g.delay)
		if err != nil {
			return err
		}
		r.links = append(r.links, way)
		o.LeafNode.Remotes = []*server.RemoteLeafOpts{{URLs: []*url.URL{{Scheme: "nats", Host: way.Addr()}}, Compression: off}}
	}
	s, err := server.NewServer(o)
	if err != nil {
		return fmt.Errorf("the NATS server of region %s: %w", regionName(region), err)
	}
	s.Start()
	r.servers, r.options = append(r.servers, s), append(r.options, o)
	if !s.ReadyForConnections(5 * time.Second) {
		return fmt.Errorf("the NATS server of region %s did not start", regionName(region))
	}
	return nil
}

// startNode starts a node that gossips with its region only.
func (r *regions) startNode(dir string, region, i int) error {
	name := fmt.Sprint(regionName(region), i+1)
	gossip := &cluster.Gossip{Bind: "127.0.0.1:0"}
	if i > 0 {
		gossip.Join = []string{r.nodes[len(r.nodes)-1].GossipAddr()}
	}
	n, err := cluster.Start(cluster.Config{
		Cluster: "bench", Name: name, Key: window.ClusterKey, Logger: slog.New(slog.DiscardHandler), DataDir: filepath.Join(dir, name),
		Gossip: gossip, NATS: &cluster.NATS{URL: r.servers[region].ClientURL()},
	})
	if err != nil {
		return fmt.Errorf("node %s: %w", name, err)
	}
	r.nodes, r.of = append(r.nodes, n), append(r.of, region)
	return nil
}

func (r *regions) close() error {
	err := window.CloseAll(r.nodes)
	for _, s := range r.servers {
		s.Shutdown()
	}
	for _, s := range r.servers {
		s.WaitForShutdown()
	}
	for _, l := range r.links {
		l.Close()
	}
	return err
}

// hops returns how many links lie between two nodes.
func (r *regions) hops(from, to int) int {
	switch a, b := r.of[from], r.of[to]; {
	case a == b:
		return 0
	case a == 0 || b == 0:
		return 1
	default:
		return 2
	}
}

func regionName(i int) string { return string(rune('a' + i)) }

// crossed returns the bytes that all links have carried, both ways.
func (r *regions) crossed() (n int64) {
	for _, l := range r.links {
		there, back := l.Bytes()
		n += there + back
	}
	return n
}

// compared returns the bytes that all nodes have sent for comparisons, to
// whomever, before the seal.
func (r *regions) compared() (n int64) {
	for _, node := range r.nodes {
		n += int64(node.Status().Counters.CompareBytes)
	}
	return n
}

// sent returns the bytes that all nodes have handed to memberlist and to NATS.
func (r *regions) sent() (n int64) {
	for _, node := range r.nodes {
		for _, c := range node.Status().Carriers {
			n += int64(c.SentBytes)
		}
	}
	return n
}
