// Package carrier moves opaque messages between the members of a cluster, by
// memberlist ([Memberlist]) and by NATS ([NATS]), and seals them ([Sealer]).
//
// # What a carrier promises
//
// Little, on purpose. A message may be lost, doubled, reordered or late, and a
// carrier never looks inside: whoever sits above repairs gaps and takes
// everything any number of times. What it does promise:
//
//   - Broadcast and Send never block and never grow without bound. What does
//     not fit a queue is dropped and counted in [Status].
//   - A member that is dead, slow or paused holds up nobody else.
//   - It keeps trying: seeds are rejoined and servers redialled for ever.
//   - Once Close has returned, the handler is not called any more.
//
// Either carrier is enough by itself. With both, whichever delivers first wins
// and the other is the insurance.
//
// Memberlist sends messages of up to [MaxDatagram] bytes as one datagram
// straight to every member, and larger ones over a TCP connection of their
// own. It does not use memberlist's broadcast queue, which is made for rare
// small news: the queue carries some 150 messages a second and may silently
// replace one message by another of the same size. NATS sends one publish per
// message.
//
// # What the seal promises
//
// NATS is a shared broker, and datagrams can be forged by anyone who reaches
// the port. Every message is therefore sealed with AES-256-GCM under a key that
// is derived from the cluster's secret, the cluster's name and a random salt of
// the sealing process. A message that opens
//
//   - was sealed by somebody who holds the secret, for this cluster, and
//   - has not been changed, cut or extended since, and
//   - could not be read by anyone without the secret.
//
// It does not promise
//
//   - freshness or order. A sealed message can be replayed and withheld. A
//     [Guard] lets each in once, as far as it remembers; how old a message is it
//     says itself, and that is for whoever sits above to judge.
//   - which member sealed it. All members share one secret.
//   - forward secrecy. Who records traffic and later steals the secret can
//     read it.
//   - to hide sizes, times or, on NATS, the addressed member.
//
// A nonce is the pair of a 16-byte random salt, drawn once per Sealer, and a
// counter in memory. A restart or a copied data folder draws a new salt, so
// neither can repeat a nonce. A copy of a running process, such as a virtual
// machine resumed twice from one memory snapshot, would: don't do that to a
// cluster member. One Sealer may seal 2^38 messages of 1 KiB (a year at 8,000
// a second) with a forger's advantage still below 2^-40.
package carrier
