// Package netns makes a network of hosts on one machine: network namespaces on one
// bridge, whose links can be cut one way, thinned and slowed. Processes run inside
// a host, and connections can be made as if from inside. It needs root on Linux,
// iproute2 and iptables.
package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
)

// made numbers the networks of this process.
var made atomic.Int64

// Missing says what this machine lacks, or "".
func Missing() string {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return "needs root on Linux, for network namespaces"
	}
	for _, tool := range []string{"ip", "iptables", "tc"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "needs " + tool
		}
	}
	name := fmt.Sprintf("rescind-try-%d", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		return "can't make network namespaces here: " + strings.TrimSpace(string(out))
	}
	_ = exec.Command("ip", "netns", "del", name).Run()
	return ""
}

// Network is hosts on one bridge: host i has the address 10.77.0.i+1. Its methods
// are safe for concurrent use.
type Network struct {
	hosts      []string // names of namespaces
	namespaces []string // those and the bridge's
}

// New makes a network. After an error there is none.
func New(hosts int) (*Network, error) {
	n := &Network{}
	if err := n.make(hosts); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func (n *Network) make(hosts int) error {
	prefix := fmt.Sprintf("rescind-%d-%d", os.Getpid(), made.Add(1))
	hub := prefix + "-hub"
	if err := n.namespace(hub); err != nil {
		return err
	}
	commands := [][]string{{"-n", hub, "link", "add", "br0", "type", "bridge"}, {"-n", hub, "link", "set", "br0", "up"}}
	for i := range hosts {
		name, port := fmt.Sprint(prefix, "-h", i), fmt.Sprint("port", i)
		if err := n.namespace(name); err != nil {
			return err
		}
		n.hosts = append(n.hosts, name)
		commands = append(commands,
			[]string{"-n", hub, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name},
			[]string{"-n", hub, "link", "set", port, "master", "br0", "up"},
			[]string{"-n", name, "addr", "add", n.Address(i) + "/24", "dev", "eth0"},
			[]string{"-n", name, "link", "set", "eth0", "up"})
	}
	for _, args := range commands {
		if err := run(exec.Command("ip", args...)); err != nil {
			return err
		}
	}
	return nil
}

func (n *Network) namespace(name string) error {
	if err := run(exec.Command("ip", "netns", "add", name)); err != nil {
		return err
	}
	n.namespaces = append(n.namespaces, name)
	return run(exec.Command("ip", "-n", name, "link", "set", "lo", "up"))
}

// Close removes the network. Processes that still run in it keep their namespace
// until they end.
func (n *Network) Close() error {
	var errs []error
	for _, name := range n.namespaces {
		errs = append(errs, run(exec.Command("ip", "netns", "del", name)))
	}
	n.namespaces = nil
	return errors.Join(errs...)
}

func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Address returns the address of a host.
func (n *Network) Address(host int) string { return fmt.Sprintf("10.77.0.%d", host+1) }

// Command returns a command that runs inside a host; its process is that of the
// program.
func (n *Network) Command(host int, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", n.hosts[host]}, args...)...)
}

// Deafen drops what comes to a host from others: half of a partition.
func (n *Network) Deafen(host int, from ...int) error {
	for _, f := range from {
		if err := run(n.Command(host, "iptables", "-w", "-A", "INPUT", "-s", n.Address(f), "-j", "DROP")); err != nil {
			return err
		}
	}
	return nil
}

// Thin drops a share of what comes to a host.
func (n *Network) Thin(host int, share float64) error {
	return run(n.Command(host, "iptables", "-w", "-A", "INPUT", "-i", "eth0", "-m", "statistic", "--mode", "random", "--probability", fmt.Sprint(share), "-j", "DROP"))
}

// Slow delays what leaves a host: with netem where the kernel has it, else with a
// queue that drains slowly. It returns which.
func (n *Network) Slow(host int) (how string, err error) {
	if n.Command(host, "tc", "qdisc", "add", "dev", "eth0", "root", "netem", "delay", "100ms", "50ms").Run() == nil {
		return "netem", nil
	}
	return "tbf", run(n.Command(host, "tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "256kbit", "burst", "4kb", "latency", "400ms"))
}

// Heal takes every fault off every link.
func (n *Network) Heal() error {
	var errs []error
	for i := range n.hosts {
		errs = append(errs, run(n.Command(i, "iptables", "-w", "-F")))
		_ = n.Command(i, "tc", "qdisc", "del", "dev", "eth0", "root").Run() // usually there is none
	}
	return errors.Join(errs...)
}
