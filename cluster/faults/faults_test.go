package faults

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"rescind/internal/netns"
)

var (
	runFor = flag.Duration("faults.for", 0, "how long to make faults; 0: not at all")
	seed   = flag.Uint64("faults.seed", 0, "decides the order of faults; 0: a random one")
)

// fault is one thing that goes wrong for a while. It returns when it has been
// put right, but for what heals the network.
type fault struct {
	name string
	do   func(*run)
}

var all = []fault{
	{"kill -9 of one node", func(r *run) {
		i := r.node()
		r.site.nodes[i].kill()
		r.wait(2 * time.Second)
		r.site.start(i)
	}},
	{"one-way partition: one node hears nobody", func(r *run) {
		i := r.node()
		r.site.net.deafen(i, r.others(i)...)
		r.wait(5 * time.Second)
	}},
	{"disk full", func(r *run) {
		i := small
		free := r.site.fillDisk()
		r.must(r.client.fillLog(i))
		select {
		case <-r.site.nodes[i].ended:
		case <-time.After(30 * time.Second):
			r.t.Error("a node that can't write has not ended")
		}
		r.site.nodes[i].kill()
		// A supervisor starts it again while the disk is full. What the node left
		// without writing is taken too.
		r.site.fillDisk()
		r.site.start(i)
		select {
		case <-r.site.nodes[i].ended:
		case <-time.After(30 * time.Second):
			r.t.Error("a node that can't write has started")
			r.site.nodes[i].kill()
		}
		free()
		r.site.start(i)
	}},
	{"a third of all packets lost", func(r *run) {
		for i := range nodes + 1 {
			r.site.net.thin(i, 0.3)
		}
		r.wait(6 * time.Second)
	}},
	{"SIGSTOP for 10 s", func(r *run) {
		p := &r.site.nodes[r.node()]
		p.signal(r.t, syscall.SIGSTOP)
		r.wait(10 * time.Second)
		p.signal(r.t, syscall.SIGCONT)
	}},
	{"NATS killed, and back after 3 s", func(r *run) {
		r.site.nats.kill()
		r.wait(3 * time.Second)
		r.site.startNATS()
	}},
	{"two nodes and NATS parted from three nodes", func(r *run) {
		a := r.rand.Perm(nodes)
		r.part(append([]int{natsHost}, a[:2]...), a[2:])
		r.wait(6 * time.Second)
	}},
	{"slow links", func(r *run) {
		for i := range nodes + 1 {
			r.how = r.site.net.slow(i)
		}
		r.wait(6 * time.Second)
	}},
	{"NATS black-holed: no packet, no reset", func(r *run) {
		for i := range nodes {
			r.site.net.deafen(i, natsHost)
		}
		r.site.net.deafen(natsHost, 0, 1, 2, 3, 4)
		r.wait(6 * time.Second)
	}},
	{"kill -9 of all nodes at once", func(r *run) {
		for i := range nodes {
			_ = r.site.nodes[i].cmd.Process.Kill() // all first, then wait
		}
		for i := range nodes {
			r.site.nodes[i].kill()
			r.site.start(i)
		}
	}},
	{"one-way partition: NATS hears nobody and one node is not heard", func(r *run) {
		i := r.node()
		for _, k := range r.others(i) {
			r.site.net.deafen(k, i)
		}
		r.site.net.deafen(natsHost, 0, 1, 2, 3, 4)
		r.wait(5 * time.Second)
	}},
}

// run is one run of the test.
type run struct {
	t      *testing.T
	site   *site
	client *client
	rand   *rand.Rand
	how    string // of the last fault, where there are several ways
}

func (r *run) node() int { return r.rand.IntN(nodes) }

func (r *run) others(i int) (others []int) {
	for k := range nodes + 1 {
		if k != i {
			others = append(others, k)
		}
	}
	return others
}

// part cuts every link between two groups, both ways.
func (r *run) part(a, b []int) {
	for _, i := range a {
		r.site.net.deafen(i, b...)
	}
	for _, i := range b {
		r.site.net.deafen(i, a...)
	}
}

// must ends the test if a fault could not be made.
func (r *run) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// wait lets a fault last.
func (r *run) wait(d time.Duration) { <-time.After(d) }

// TestFaults makes one fault after the other, each at least once if the time
// suffices, and judges what a client saw.
func TestFaults(t *testing.T) {
	if *runFor == 0 {
		t.Skip("takes minutes: say how many, -faults.for 2m")
	}
	if why := netns.Missing(); why != "" {
		t.Skip(why)
	}
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-faults.seed %d", *seed)
	s := newSite(t, t.TempDir(), build(t))
	c := newClient(t, s)
	s.healed(c)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	load.Go(func() { c.run(ctx) })
	r := &run{t: t, site: s, client: c, rand: rand.New(rand.NewPCG(*seed, 0))}
	func() {
		defer func() { stop(); load.Wait() }()
		r.makeFaults()
	}()
	s.healed(c)
	c.checkAll()
	t.Log(&c.history)
	for _, wrong := range c.history.judge() {
		t.Error(wrong)
	}
	if _, acked := c.history.times(); len(acked) < len(c.history.revocations)/2 {
		t.Errorf("of %d revocations only %d were acknowledged: that proves little", len(c.history.revocations), len(acked))
	}
}

// makeFaults goes on until the time is up, and lets the cluster recover after
// each.
func (r *run) makeFaults() {
	start := time.Now()
	for n := 0; time.Since(start) < *runFor; n++ {
		f := all[n%len(all)]
		if n >= len(all) {
			f = all[r.rand.IntN(len(all))]
		}
		began := time.Now()
		r.how = ""
		f.do(r)
		lasted := time.Since(began)
		r.site.net.heal()
		r.site.healed(r.client)
		r.t.Logf("%4.0f s  %s %s: %.1f s, recovered after %.1f s", began.Sub(start).Seconds(), f.name, r.how, lasted.Seconds(), (time.Since(began) - lasted).Seconds())
	}
}

// build makes the commands under test and returns their folder.
func build(t *testing.T) string {
	dir := t.TempDir()
	for out, pkg := range map[string]string{"rescind": "rescind/cmd/node", "nats-server": "github.com/nats-io/nats-server/v2"} {
		if text, err := exec.Command("go", "build", "-o", filepath.Join(dir, out), pkg).CombinedOutput(); err != nil {
			t.Fatal(fmt.Errorf("build %s: %w\n%s", pkg, err, text))
		}
	}
	return dir
}
