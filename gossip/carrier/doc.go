// Package carrier moves the replication core's messages between nodes, by
// memberlist and by NATS. Either is enough; with both, whichever is first
// wins and the other is the insurance.
//
// A carrier moves opaque bytes. It may lose, double, delay and reorder them,
// and never blocks its caller: what its bounded queue can't take is dropped and
// counted. Correctness rests on the core's repair, never on a carrier.
//
// # The seal
//
// Every message is sealed by a [Sealer] with AES-256-GCM before a carrier sees
// it, so that neither a network, nor a NATS server or its other tenants, can
// read or forge one. A seal proves that the message was made by a holder of
// the cluster's key for this cluster, and that it is whole. It does not prove
// that it is fresh: replay must be harmless, and is, because records merge and
// beats are numbered. It hides neither when nor how much is sent.
package carrier

// Node addresses one member: the random origin of its data folder.
type Node uint64

// Handler takes a message that has arrived. It is called from a carrier's
// goroutines, concurrently, must not block, and may keep msg.
type Handler func(via string, msg []byte)

// Status is what a carrier knows of itself. The numbers count since it was
// started.
type Status struct {
	Name      string // "gossip" or "nats"
	Connected bool   // gossip: to at least one other member; nats: to a server
	Members   int    // gossip: other members alive; nats: always 0, it has no membership

	Sent, SentBytes         uint64 // messages, once for each addressee where the carrier knows them
	Received, ReceivedBytes uint64
	Dropped                 uint64 // not sent: queue full, not connected or too large
	Errors                  uint64 // of sending
	Slow                    uint64 // times that the NATS client fell behind and lost messages
}

// DeriveKey derives a key for one purpose from the cluster's secret (HKDF,
// RFC 5869, with SHA-256).
func DeriveKey(secret []byte, purpose string) [32]byte { return deriveKey(secret, nil, purpose) }
