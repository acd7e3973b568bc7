package gossiptest

import (
	"testing"
	"time"
)

// TestSpread: by either carrier and with loss, every revocation reaches every
// node, and without loss within milliseconds.
func TestSpread(t *testing.T) {
	for name, s := range map[string]Spread{
		"memberlist": {Gossip: true, Network: LAN(0)},
		"NATS":       {NATS: true, Network: LAN(0)},
		"both":       {Gossip: true, NATS: true, Network: LAN(0)},
		"lossy":      {Gossip: true, Network: LAN(0.1)},
	} {
		s.Nodes, s.Revocations, s.Every = 10, 50, 10*time.Millisecond
		got := s.Run(1)
		if got.Lost > 0 || len(got.Each) != 50*9 || len(got.Last) != 50 {
			t.Errorf("%s: %d lost, %d windows, %d last ones", name, got.Lost, len(got.Each), len(got.Last))
		}
		for _, d := range got.Last {
			if d > 5*time.Millisecond && s.Network.Loss == 0 || d > 3*time.Second {
				t.Errorf("%s: the last node after %v", name, d)
			}
		}
	}
}
