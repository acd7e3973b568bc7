package propagation

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"rescind/bench/pace"
	"rescind/bench/window"
)

// rivalMessage is the size of what rivals send: what a revocation comes to
// without a seal.
const rivalMessage = 64

// measureRawNATS publishes small messages through a NATS server of this process
// and measures from the publish to the receipt by every other one of l.Nodes
// subscribers, each with a connection of its own over TCP. Beyond the defaults a
// connection does not hear itself, as a node does not.
func measureRawNATS(ctx context.Context, l window.Load) (window.Curve, error) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		return window.Curve{}, err
	}
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	if !s.ReadyForConnections(5 * time.Second) {
		return window.Curve{}, errors.New("the NATS server of the rival did not start")
	}
	var conns []*nats.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for range l.Nodes {
		c, err := nats.Connect(s.ClientURL(), nats.NoEcho())
		if err != nil {
			return window.Curve{}, err
		}
		conns = append(conns, c)
	}
	if _, err := publishRaw(ctx, conns, "warm-up", l.Rate, l.Count(l.WarmUp), l.GiveUp); err != nil {
		return window.Curve{}, err
	}
	return publishRaw(ctx, conns, "measured", l.Rate, l.Count(l.Duration), l.GiveUp)
}

// publishRaw publishes n messages on one connection after the other.
func publishRaw(ctx context.Context, conns []*nats.Conn, subject string, rate, n int, giveUp time.Duration) (window.Curve, error) {
	rec := window.NewRecorder(n, len(conns)-1, giveUp)
	called := make([]time.Time, n)
	for to, c := range conns {
		sub, err := c.Subscribe(subject, func(m *nats.Msg) {
			i := binary.BigEndian.Uint64(m.Data)
			rec.Arrived(int(i), to, time.Since(called[i]))
		})
		if err != nil {
			return window.Curve{}, err
		}
		defer sub.Unsubscribe()
		if err := c.Flush(); err != nil {
			return window.Curve{}, err
		}
	}
	started, err := pace.Calls(ctx, rate, n, func(i int, _ time.Time) {
		msg := make([]byte, rivalMessage)
		binary.BigEndian.PutUint64(msg, uint64(i))
		called[i] = time.Now()
		_ = conns[i%len(conns)].Publish(subject, msg) // what fails counts as lost
	})
	if started == n {
		rec.Await()
	}
	return rec.Curve(started), err
}
