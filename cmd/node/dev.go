package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"rescind/cluster"
	"rescind/gossip/carrier"
	"rescind/httpapi"
	"rescind/httpapi/dashboard"
	"rescind/token"
)

const demoIssuer = "https://demo.rescind.invalid"

// maxDevNodes keeps a laptop usable.
const maxDevNodes = 50

// runDev runs a whole cluster in this process until ctx ends.
func runDev(ctx context.Context, e env) (err error) {
	flags := newFlags(e, "dev", "dev [--nodes 3] [--http 127.0.0.1:8080] [--data FOLDER]")
	nodes := flags.Int("nodes", 3, "how many nodes")
	addr := flags.String("http", "127.0.0.1:8080", "HTTP address of the first node; the others take the next ports")
	data := flags.String("data", "", "folder for the nodes' data; a temporary one if empty")
	level := flags.String("log", "warn", "log level: debug, info, warn or error")
	if err := parse(flags, e, 0); err != nil {
		return err
	}
	if *nodes < 1 || *nodes > maxDevNodes {
		return usage("dev: --nodes is %d; use 1 to %d", *nodes, maxDevNodes)
	}
	var l slog.Level
	if err := l.UnmarshalText([]byte(*level)); err != nil {
		return usage("dev: --log is %q; use debug, info, warn or error", *level)
	}
	if *data == "" {
		if *data, err = os.MkdirTemp("", "rescind-dev-"); err != nil {
			return fmt.Errorf("make a temporary data folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(*data)) }()
	}
	d := &dev{dir: *data, nodes: *nodes, admin: rand.Text(), log: slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: l}))}
	listeners, err := listenInRow(*addr, *nodes)
	if err != nil {
		return err
	}
	if err := d.start(listeners); err != nil {
		return errors.Join(err, d.close())
	}
	for _, f := range d.faces {
		select {
		case <-f.node.Ready():
		case <-f.node.Failed():
			return errors.Join(f.node.Err(), d.close())
		case <-ctx.Done():
			return d.close()
		}
	}
	d.printGuide(e.stdout)
	return d.run(ctx)
}

// dev is the cluster of 'node dev'.
type dev struct {
	dir   string
	nodes int
	admin string
	log   *slog.Logger
	keys  *token.KeySet
	nats  *carrier.Embedded // nil with one node
	faces []*face

	playground *dashboard.Playground // of all nodes
	players    []dashboard.PlaygroundNode
}

// listenInRow listens on addr and the ports that follow it, or with port 0 on
// any.
func listenInRow(addr string, n int) ([]net.Listener, error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, usage("dev: --http is %q; use host:port", addr)
	}
	first, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, usage("dev: --http is %q; use a port number", addr)
	}
	var listeners []net.Listener
	for i := range n {
		port := int(first)
		if port != 0 {
			port += i
		}
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			for _, open := range listeners {
				open.Close()
			}
			return nil, fmt.Errorf("listen for HTTP (choose another address with --http): %w", err)
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

func (d *dev) keyFile() string { return filepath.Join(d.dir, issuerFile) }

// start starts a NATS server and a node for each listener. The first is the seed
// of the others.
func (d *dev) start(listeners []net.Listener) (err error) {
	defer func() {
		for _, l := range listeners[len(d.faces):] {
			l.Close()
		}
	}()
	if d.keys, err = devKeys(d.keyFile()); err != nil {
		return err
	}
	defer func() { d.playground = dashboard.NewPlayground(d.players, d.log) }()
	if d.nodes > 1 {
		d.nats, err = carrier.StartEmbedded(carrier.EmbeddedConfig{Listen: "127.0.0.1:0", StoreDir: filepath.Join(d.dir, "nats"), Logger: d.log})
		if err != nil {
			return err
		}
	}
	for i, l := range listeners {
		f, err := d.startNode(i, l)
		if err != nil {
			return fmt.Errorf("start node %d: %w", i+1, err)
		}
		d.faces = append(d.faces, f)
	}
	return nil
}

// devKeys loads the demo issuer's keys, or makes them where there are none, so
// that tokens outlive a restart with --data.
func devKeys(path string) (*token.KeySet, error) {
	keys, err := token.LoadKeySet(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	if keys, err = token.GenerateKeySet(); err != nil {
		return nil, err
	}
	return keys, keys.Save(path)
}

func (d *dev) startNode(i int, l net.Listener) (*face, error) {
	name := fmt.Sprintf("node%d", i+1)
	cfg := cluster.Config{
		Cluster: "dev", Name: name, DataDir: filepath.Join(d.dir, name), Logger: d.log,
	}
	if d.nats != nil { // else alone by configuration, not for lack of peers
		cfg.Gossip = &cluster.Gossip{Bind: "127.0.0.1:0"}
		cfg.NATS, cfg.OneTime = &cluster.NATS{URL: d.nats.ClientURL()}, &cluster.OneTime{}
	}
	if i > 0 {
		cfg.Gossip.Join = []string{d.faces[0].node.GossipAddr()}
	}
	n, err := cluster.Start(cfg)
	if err != nil {
		return nil, err
	}
	f, err := d.newFace(name, n, l)
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return f, nil
}

func (d *dev) newFace(name string, n *cluster.Node, l net.Listener) (*face, error) {
	issuer, err := token.NewIssuer(token.SignerConfig{
		Issuer: demoIssuer, Keys: d.keys, Checker: n, Revoker: n, Logger: d.log.With("node", name),
	})
	if err != nil {
		return nil, fmt.Errorf("start the demo issuer: %w", err)
	}
	v, err := token.NewVerifier(context.Background(), token.VerifierConfig{Issuers: []token.IssuerConfig{issuer.Trust()}, Checker: n, Logger: d.log})
	if err != nil {
		return nil, fmt.Errorf("start the verifier: %w", err)
	}
	d.players = append(d.players, dashboard.PlaygroundNode{Name: name, Issuer: issuer, Verifier: v, Node: n})
	return newFace(n, faceConfig{
		listener: l, verifier: v,
		api: httpapi.Config{
			Issuer: demoIssuer, AdminToken: []byte(d.admin), JWKS: d.keys.JWKS, Signer: d.keys, Name: demoIssuer, Issued: issuer.Stats,
			Links: []dashboard.Link{{Path: dashboard.PlaygroundPath, Name: "Playground"}},
		},
		extra: demo{name, issuer}.handler(v, d.play), extraPrefix: "/demo/", log: d.log.With("node", name),
	})
}

// play serves the playground, which is made when all nodes have been started.
func (d *dev) play(w http.ResponseWriter, r *http.Request) { d.playground.ServeHTTP(w, r) }

// run serves on every node until ctx ends or one fails.
func (d *dev) run(ctx context.Context) error {
	all, ctx := errgroup.WithContext(ctx)
	for _, f := range d.faces {
		all.Go(func() error { return f.run(ctx, func() time.Duration { return 0 }, nil) })
	}
	all.Go(func() error {
		<-ctx.Done()
		if d.playground != nil {
			d.playground.Close() // its streams would keep the servers
		}
		return nil
	})
	if d.keys != nil {
		all.Go(func() error { return d.keys.Follow(ctx, d.keyFile(), token.Rotation{}, d.log) })
	}
	err := all.Wait()
	if d.nats != nil {
		d.nats.Shutdown()
	}
	return err
}

// close ends nodes that were started and never served.
func (d *dev) close() error {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	return d.run(ended)
}

// printGuide prints what to try.
func (d *dev) printGuide(w io.Writer) {
	fmt.Fprintf(w, "Rescind: %d nodes in one process, with gossip and NATS on loopback. Ctrl-C stops it.\n\n", len(d.faces))
	ports := ""
	for i, f := range d.faces {
		fmt.Fprintf(w, "  node%d  http://%s\n", i+1, f.addr)
		ports += " " + f.addr.String()
	}
	first := d.faces[0].addr.String()
	fmt.Fprintf(w, `
Playground, two browsers that log in and out, and what each node answers: http://%[1]s%[2]s
Dashboard, the cluster as node1 sees it, live: http://%[1]s/ with the admin token %[3]s
`, first, dashboard.PlaygroundPath, d.admin)
	fmt.Fprintf(w, `
Log in on two devices:
  access() { sed 's/.*"access_token":"\([^"]*\)".*/\1/'; }
  PHONE=$(curl -s http://%[1]s/demo/login -d user=ada -d device=phone | access)
  LAPTOP=$(curl -s http://%[1]s/demo/login -d user=ada -d device=laptop | access)

Use both on every node:
  hello() { for n in%[2]s; do curl -s -w '%%{http_code}\n' http://$n/demo/hello -H "Authorization: Bearer $1"; done; }
  hello $PHONE; hello $LAPTOP

Log out the phone on node1, see how long each node took, and try again: 401 everywhere, the laptop goes on:
  curl -s -X DELETE "http://%[1]s/v1/session?ack=all" -H "Authorization: Bearer $PHONE"
  hello $PHONE; hello $LAPTOP

Log out everywhere:
  curl -s -X DELETE "http://%[1]s/v1/sessions?ack=all" -H "Authorization: Bearer $LAPTOP"
  hello $LAPTOP

See the cluster as node1 does, with the window of every logout so far:
  curl -s http://%[1]s/v1/cluster -H "Authorization: Bearer %[3]s"
`, first, ports, d.admin)
}
