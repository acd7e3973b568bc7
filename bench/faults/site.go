package faults

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"rescind/bench/process"
	"rescind/gossip/carrier"
	"rescind/internal/netns"
)

// The nodes of bench faults. What goes wrong happens to the first two, of which one
// serves and one rejects while it is stale.
const (
	faultNodes = 4
	faultNATS  = faultNodes // the host of the NATS server
	serving    = 0
	rejecting  = 1
)

var nodeNames = [faultNodes]string{"n1", "n2", "n3", "n4"}

// site is a cluster of processes, each on a host of its own where namespaces
// can be made, else all on loopback.
type site struct {
	files  *process.NodeFiles
	hosts  *netns.Network // nil on loopback
	gossip [faultNodes]string
	http   [faultNodes]string
	nats   string
	reject time.Duration // the staleness at which the rejecting node rejects

	nodes  [faultNodes]*process.Process
	broker *process.Process
	client [faultNodes]*http.Client
}

// startSite starts the cluster. why says what can't be made here, or "".
func startSite(ctx context.Context, files *process.NodeFiles, reject, patience time.Duration) (s *site, why string, err error) {
	s = &site{files: files, reject: reject}
	if why = netns.Missing(); why == "" {
		if s.hosts, err = netns.New(faultNodes + 1); err != nil {
			return nil, "", err
		}
	}
	if err = s.addresses(); err == nil {
		err = s.startNATS(ctx)
	}
	for i := 0; i < faultNodes && err == nil; i++ {
		// Connections enter a node by its own loopback, which no fault touches.
		transport := &http.Transport{MaxIdleConnsPerHost: 64, DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) { return s.dial(ctx, i, addr) }}
		s.client[i] = &http.Client{Transport: transport, Timeout: patience}
		err = s.startNode(i)
	}
	for i := 0; i < faultNodes && err == nil; i++ {
		err = s.nodes[i].Await(ctx, 30*time.Second, process.ReadyAt(s.client[i], s.http[i]))
	}
	if err != nil {
		return nil, "", errors.Join(err, s.close())
	}
	return s, why, nil
}

func (s *site) addresses() (err error) {
	for i := range faultNodes {
		if s.hosts != nil {
			s.gossip[i], s.http[i] = s.hosts.Address(i)+":7946", "127.0.0.1:8080"
			continue
		}
		if s.gossip[i], err = process.FreeAddr(); err != nil {
			return err
		}
		if s.http[i], err = process.FreeAddr(); err != nil {
			return err
		}
	}
	if s.hosts != nil {
		s.nats = s.hosts.Address(faultNATS) + ":4222"
		return nil
	}
	s.nats, err = process.FreeAddr()
	return err
}

func (s *site) dial(ctx context.Context, host int, addr string) (net.Conn, error) {
	if s.hosts != nil {
		return s.hosts.Dial(ctx, host, addr)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", addr)
}

// start runs a program on a host.
func (s *site) start(name string, host int, args ...string) (*process.Process, error) {
	cmd := exec.Command(args[0], args[1:]...)
	if s.hosts != nil {
		cmd = s.hosts.Command(host, args...)
	}
	return process.Start(name, cmd)
}

func (s *site) startNATS(ctx context.Context) (err error) {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if s.broker, err = s.start("NATS", faultNATS, self, "faults-nats", s.nats); err != nil {
		return err
	}
	return s.broker.Await(ctx, 20*time.Second, func(ctx context.Context) bool {
		conn, err := s.dial(ctx, faultNATS, s.nats)
		return err == nil && conn.Close() == nil
	})
}

func (s *site) startNode(i int) (err error) {
	more := []string{
		"--gossip.bind", s.gossip[i], "--gossip.join", strings.Join(s.gossip[:], ","), "--nats.url", "nats://" + s.nats,
	}
	if i == rejecting {
		more = append(more, "--checks.on-stale", "reject", "--checks.max-staleness", s.reject.String())
	}
	s.nodes[i], err = s.start(nodeNames[i], i, s.files.Command(nodeNames[i], s.http[i], more...)...)
	return err
}

// part cuts the hosts off from all others, one-way each way.
func (s *site) part(hosts ...int) error {
	var errs []error
	for _, h := range hosts {
		for other := range faultNodes + 1 {
			if other != h {
				errs = append(errs, s.hosts.Deafen(h, other), s.hosts.Deafen(other, h))
			}
		}
	}
	return errors.Join(errs...)
}

// close ends all processes and removes the hosts.
func (s *site) close() (err error) {
	for i, p := range s.nodes {
		if p != nil {
			p.Kill() // a graceful end takes seconds, and nobody needs the data
		}
		if s.client[i] != nil {
			s.client[i].CloseIdleConnections()
		}
	}
	if s.broker != nil {
		s.broker.Kill()
	}
	if s.hosts != nil {
		err = s.hosts.Close()
	}
	return err
}

// RunNATS is the NATS server of bench faults, a process of its own.
func RunNATS(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("is started by bench faults")
	}
	server, err := carrier.StartEmbedded(carrier.EmbeddedConfig{Listen: args[0], AllowRemote: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("start the NATS server: %w", err)
	}
	<-ctx.Done()
	server.Shutdown()
	return nil
}
