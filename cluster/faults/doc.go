// Package faults tests a cluster of real processes under real faults.
//
// Each node and the NATS server live in a network namespace of their own, on
// one bridge. A client revokes and checks all along over HTTP, through each
// node's loopback, which no fault touches. Meanwhile nodes are killed and
// paused, links cut, thinned and slowed, a disk filled, and the NATS server killed
// and silenced. Afterwards a checker judges the history:
//
//   - Nothing that was acknowledged is lost.
//   - No node answered valid for a token whose revocation had been acknowledged
//     longer ago than the staleness that the node vouched for.
//   - A process that refused a token never accepted it again.
//   - After healing all nodes refuse everything revoked, and no token was ever
//     refused that nobody revoked.
//
// It needs root, iproute2 and iptables, and is skipped without them and unless
// it is told how long to take:
//
//	go test ./cluster/faults -faults.for 2m          each fault at least once
//	go test ./cluster/faults -faults.for 1h -timeout 2h   at random after that
//
// A run is named by -faults.seed, which it prints; it decides the order of
// faults and not, of course, what comes of them.
package faults
