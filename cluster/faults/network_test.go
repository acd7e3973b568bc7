package faults

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// missing says what this machine lacks for a network of namespaces, or "".
func missing() string {
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

// network is hosts on one bridge: host i has the address 10.77.0.i+1.
type network struct {
	t     *testing.T
	hosts []string // names of namespaces
}

func newNetwork(t *testing.T, hosts int) *network {
	n := &network{t: t}
	hub := fmt.Sprintf("rescind-%d-hub", os.Getpid())
	n.namespace(hub)
	n.run("ip", "-n", hub, "link", "add", "br0", "type", "bridge")
	n.run("ip", "-n", hub, "link", "set", "br0", "up")
	for i := range hosts {
		name, port := fmt.Sprintf("rescind-%d-h%d", os.Getpid(), i), fmt.Sprint("port", i)
		n.namespace(name)
		n.hosts = append(n.hosts, name)
		n.run("ip", "-n", hub, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
		n.run("ip", "-n", hub, "link", "set", port, "master", "br0", "up")
		n.run("ip", "-n", name, "addr", "add", n.address(i)+"/24", "dev", "eth0")
		n.run("ip", "-n", name, "link", "set", "eth0", "up")
	}
	return n
}

func (n *network) namespace(name string) {
	n.run("ip", "netns", "add", name)
	n.t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
	n.run("ip", "-n", name, "link", "set", "lo", "up")
}

func (n *network) address(host int) string { return fmt.Sprintf("10.77.0.%d", host+1) }

func (n *network) run(args ...string) {
	n.t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		n.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// inside returns a command in a host's namespace, with the host's process id.
func (n *network) inside(host int, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", n.hosts[host]}, args...)...)
}

func (n *network) runInside(host int, args ...string) {
	n.run(append([]string{"ip", "netns", "exec", n.hosts[host]}, args...)...)
}

// deafen drops what comes to a host from others: half of a partition.
func (n *network) deafen(host int, from ...int) {
	for _, f := range from {
		n.runInside(host, "iptables", "-w", "-A", "INPUT", "-s", n.address(f), "-j", "DROP")
	}
}

// thin drops a share of what comes to a host.
func (n *network) thin(host int, share float64) {
	n.runInside(host, "iptables", "-w", "-A", "INPUT", "-i", "eth0", "-m", "statistic", "--mode", "random", "--probability", fmt.Sprint(share), "-j", "DROP")
}

// slow delays what leaves a host: with netem where the kernel has it, else with
// a queue that drains slowly. It returns which.
func (n *network) slow(host int) string {
	if n.inside(host, "tc", "qdisc", "add", "dev", "eth0", "root", "netem", "delay", "100ms", "50ms").Run() == nil {
		return "netem"
	}
	n.runInside(host, "tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "256kbit", "burst", "4kb", "latency", "400ms")
	return "tbf"
}

// heal takes every fault off every link.
func (n *network) heal() {
	for i := range n.hosts {
		n.runInside(i, "iptables", "-w", "-F")
		_ = n.inside(i, "tc", "qdisc", "del", "dev", "eth0", "root").Run() // usually there is none
	}
}

// dial connects to an address as seen inside a host. A socket belongs to the
// namespace in which it was made.
func (n *network) dial(ctx context.Context, host int, addr string) (net.Conn, error) {
	runtime.LockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer own.Close()
	other, err := os.Open("/run/netns/" + n.hosts[host])
	if err != nil {
		return nil, err
	}
	defer other.Close()
	if err := unix.Setns(int(other.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("enter %s: %w", n.hosts[host], err)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if back := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); back != nil {
		return nil, fmt.Errorf("come back from %s: %w", n.hosts[host], back) // the thread stays locked, and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return conn, err
}
