package gossiptest

import (
	"math"
	"math/rand/v2"
	"time"
)

// Network is the latency model of a data centre by which Spread and the
// benchmark's model time messages. It is a model, not a measurement:
//
//   - One way between two machines takes a log-normal time with the median
//     Median; its 99th percentile is e^(2.33 Sigma) times that.
//   - Who sends to many does so one after the other: SendCost for each datagram
//     of memberlist's, FanCost for each copy that the NATS server writes.
//   - A datagram is lost with the probability Loss. On the TCP connections of
//     NATS, where a loss is a retransmission, it is late instead: by RTO, twice
//     that if it is lost again, and so on.
type Network struct {
	Median            time.Duration
	Sigma             float64
	SendCost, FanCost time.Duration
	RTO               time.Duration
	Loss              float64
}

// LAN is a Network within one data centre. SendCost is a system call for a
// datagram of 100 bytes, FanCost what the NATS server takes for a subscriber,
// both as seen on two virtual cores; RTO is Linux's least.
func LAN(loss float64) Network {
	return Network{Median: 150 * time.Microsecond, Sigma: 0.5, SendCost: 5 * time.Microsecond, FanCost: time.Microsecond, RTO: 200 * time.Millisecond, Loss: loss}
}

// OneWay draws how long a message is on its way.
func (n Network) OneWay(rng *rand.Rand) time.Duration {
	return time.Duration(float64(n.Median) * math.Exp(n.Sigma*rng.NormFloat64()))
}

// Datagram draws how long a datagram takes, the i-th of those that its sender
// sends at once, or that it is lost.
func (n Network) Datagram(rng *rand.Rand, i int) (after time.Duration, arrives bool) {
	return time.Duration(i+1)*n.SendCost + n.OneWay(rng), rng.Float64() >= n.Loss
}

// Published draws how long a message takes to the NATS server and from there to
// the i-th of its subscribers.
func (n Network) Published(rng *rand.Rand, i int) time.Duration {
	return n.segment(rng) + time.Duration(i+1)*n.FanCost + n.segment(rng)
}

func (n Network) segment(rng *rand.Rand) time.Duration {
	after := n.OneWay(rng)
	for wait := n.RTO; rng.Float64() < n.Loss; wait *= 2 {
		after += wait
	}
	return after
}
