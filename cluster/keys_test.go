package cluster

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"

	"rescind"
)

func transportKeys(ks ...byte) (keys [][]byte) {
	for _, k := range ks {
		keys = append(keys, bytes.Repeat([]byte{k}, 32))
	}
	return keys
}

// TestRotateKeysUnderTraffic: the transport keys are replaced on one node after
// the other while all of them revoke. No message is refused, every revocation
// arrives everywhere, and who has only the removed key is not heard any more.
func TestRotateKeysUnderTraffic(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{9}, 32)
	for _, c := range []struct {
		name         string
		gossip, nats bool
	}{{"gossip", true, false}, {"nats", false, true}} {
		t.Run(c.name, func(t *testing.T) {
			r := newRigWith(t, 3, c.gossip, c.nats, func(cfg *Config) { cfg.Key, cfg.TransportKeys = key, transportKeys(1) })
			ctx, stop := context.WithCancel(t.Context())
			var traffic sync.WaitGroup
			revoked := make([]int, len(r.nodes))
			for i := range r.nodes {
				traffic.Go(func() {
					for ; ctx.Err() == nil; revoked[i]++ {
						patient, cancel := context.WithTimeout(context.Background(), deadline)
						_, err := r.nodes[i].Revoke(patient, rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: fmt.Sprintf("%d-%d", i, revoked[i])}}, rescind.AckAll)
						if cancel(); err != nil {
							t.Errorf("revoke on node %d: %v", i, err)
							return
						}
					}
				})
			}
			for _, step := range [][]byte{{1, 2}, {2, 1}, {2}} { // install, use, remove
				for i, n := range r.nodes {
					if err := n.SetTransportKeys(transportKeys(step...)); err != nil {
						t.Fatal(err)
					}
					r.revoke(i, fmt.Sprintf("step %v on %d", step, i), rescind.AckAll)
				}
			}
			stop()
			traffic.Wait()
			for i, count := range revoked {
				for k := range count {
					r.refused(fmt.Sprintf("%d-%d", i, k))
				}
			}
			for i, n := range r.nodes {
				if refused := n.Status().Counters.Refused; refused != 0 {
					t.Errorf("node %d refused %d messages", i, refused)
				}
			}
			r.outdated(key)
		})
	}
}

// outdated starts a node that has only the removed key.
func (r *rig) outdated(key []byte) {
	r.t.Helper()
	r.cfgs = append(r.cfgs, r.cfgs[0])
	late := &r.cfgs[len(r.cfgs)-1]
	late.Name, late.DataDir, late.Key, late.TransportKeys = "late", r.t.TempDir(), key, transportKeys(1)
	r.nodes = append(r.nodes, nil)
	n := r.start(len(r.nodes) - 1)
	await(r.t, "the node with the removed key to have tried", func() bool {
		s := n.Status()
		return s.Counters.Refused > 5 || s.Carriers[0].Name == "gossip" && s.Carriers[0].Errors > 2
	})
	if s := n.Status(); s.Ready || len(s.Members) != 0 {
		r.t.Errorf("a node with the removed key has joined: %+v", s)
	}
}

func TestTransportKeysRefused(t *testing.T) {
	for name, c := range map[string]struct {
		key  []byte
		keys [][]byte
	}{
		"without a key": {nil, transportKeys(1)},
		"too short":     {transportKeys(9)[0], [][]byte{{1}}},
		"twice":         {transportKeys(9)[0], transportKeys(1, 1)},
		"too many":      {transportKeys(9)[0], transportKeys(1, 2, 3, 4, 5)},
	} {
		if n, err := Start(Config{DataDir: t.TempDir(), Key: c.key, TransportKeys: c.keys, Logger: quiet}); err == nil {
			n.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}
