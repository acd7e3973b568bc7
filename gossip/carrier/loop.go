package carrier

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// A connection to NATS says little about whether messages arrive: a server may let
// this node publish and not subscribe, or on one subject and not on the other, and
// says so once, if at all. Therefore each subject in use is proven by a message to
// oneself, over a connection of its own: the other one hears nothing of its own.

// loopMark begins such a message: the mark, the node that sent it, a number, and
// the kind of the subject. Others of the cluster hear it, too, and ignore it.
const loopMark = 'L'

const loopSize = 1 + 8 + 8 + 1

const (
	loopEvery  = time.Minute
	loopRetry  = 5 * time.Second // while a subject is not proven
	loopWithin = 2 * time.Second
)

// The subjects in use.
const (
	loopAll byte = iota
	loopOwn
	numLoops
)

// loops is what is known of the subjects.
type loops struct {
	last   atomic.Uint64           // number of the last proof
	heard  [numLoops]atomic.Uint64 // number of the last one that came back
	broken atomic.Pointer[string]  // why the transport does not work though it is connected; nil: not known
}

// Grants lists the permissions that a node needs for this transport, in the words
// of a NATS server's configuration.
func Grants(cluster string, node Node) string {
	return fmt.Sprintf("publish: [%q, %q], subscribe: [%q, %q]",
		subjectAll(cluster), "rescind."+subjectToken(cluster)+".node.*", subjectAll(cluster), subjectNode(cluster, node))
}

// hearLoop takes a message of a proof, and reports whether msg is one.
func (n *NATS) hearLoop(msg []byte) bool {
	if len(msg) != loopSize || msg[0] != loopMark {
		return false
	}
	kind := msg[loopSize-1]
	if Node(binary.BigEndian.Uint64(msg[1:])) == n.cfg.Node && kind < numLoops {
		n.loops.heard[kind].Store(binary.BigEndian.Uint64(msg[9:]))
	}
	return true
}

// proveLoops proves the subjects now and then, until ctx ends.
func (n *NATS) proveLoops(ctx context.Context) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	var next time.Time
	var connected int64 // which connection was proven
	for {
		select {
		case now := <-tick.C:
			n.says.lastWords(now)
		case <-ctx.Done():
			return
		}
		since := n.link.upSince.Load()
		if !n.link.up.Load() || since == connected && time.Now().Before(next) {
			continue
		}
		connected = since
		err := n.prove(ctx)
		if ctx.Err() != nil {
			return
		}
		n.judge(err)
		next = time.Now().Add(jitter(loopEvery))
		if err != nil {
			next = time.Now().Add(jitter(loopRetry))
		}
	}
}

// judge notes the outcome of a proof, and logs it where it differs from before.
func (n *NATS) judge(err error) {
	before := n.loops.broken.Load()
	if err == nil {
		n.loops.broken.Store(nil)
		if before != nil {
			n.log.Info("nats: messages to oneself arrive on every subject again")
			n.changed()
		}
		return
	}
	text := redact(err.Error())
	n.loops.broken.Store(&text)
	n.counters.fail(err)
	if before == nil {
		n.log.Warn("nats: connected, but it does not carry messages", "error", text)
		n.changed()
	}
}

func (n *NATS) changed() {
	if n.cfg.OnChange != nil && !n.closing.Load() {
		n.cfg.OnChange()
	}
}

// prove sends a message to oneself on every subject in use and returns nil once
// all have come back.
func (n *NATS) prove(ctx context.Context) error {
	options := []nats.Option{
		nats.Name("rescind " + n.cfg.Name + " (proves its subjects)"),
		nats.Timeout(dialTimeout), nats.NoReconnect(),
		nats.ErrorHandler(n.problem),
	}
	options, _ = n.identified(options)
	conn, err := nats.Connect(n.cfg.URL, options...)
	if err != nil {
		return fmt.Errorf("connect to NATS once more to prove the subjects: %w", n.cfg.Login.Explain(err))
	}
	defer conn.Close()
	number := n.loops.last.Add(1)
	subjects := [numLoops]string{subjectAll(n.cfg.Cluster), subjectNode(n.cfg.Cluster, n.cfg.Node)}
	for kind, subject := range subjects {
		msg := binary.BigEndian.AppendUint64([]byte{loopMark}, uint64(n.cfg.Node))
		msg = append(binary.BigEndian.AppendUint64(msg, number), byte(kind))
		if err := conn.Publish(subject, msg); err != nil {
			return fmt.Errorf("publish on %s: %w", subject, err)
		}
	}
	if err := conn.FlushTimeout(loopWithin); err != nil {
		return fmt.Errorf("publish to oneself: %w", err)
	}
	return n.awaitLoops(ctx, number, subjects)
}

func (n *NATS) awaitLoops(ctx context.Context, number uint64, subjects [numLoops]string) error {
	ctx, cancel := context.WithTimeout(ctx, loopWithin)
	defer cancel()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		missing := ""
		for kind, subject := range subjects {
			if n.loops.heard[kind].Load() < number {
				missing = subject
			}
		}
		if missing == "" {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("messages on %s do not arrive: the server does not let this node publish or subscribe there; grant %s",
				missing, Grants(n.cfg.Cluster, n.cfg.Node))
		}
	}
}
