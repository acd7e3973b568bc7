// Package admission bounds what strangers can take of a process before they have
// shown who they are: connections, requests, the bytes of a stream.
//
// It guarantees that a [Room] never gives away more than it has, that one address
// gets at most a quarter of it, and that an eighth is kept for those who are known
// (loopback, and whom the owner names, such as configured proxies and members of
// the cluster). Who finds no room is refused at once and counted, and the log says
// so once a second at most. A room never waits.
//
// How large the rooms of a process are follows from its file descriptors and its
// memory: see [PlanFor]. The sum of all that the plan gives away, each part at its
// worst, stays below what the process may take, so that no client makes it meet
// EMFILE or the end of its memory.
//
// An attacker with more than a handful of addresses can still fill the part that is
// for strangers. It then keeps other strangers out, but neither ends the process nor
// locks its operators out.
package admission
