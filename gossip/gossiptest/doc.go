// Package gossiptest drives real replication cores through a bad day in
// virtual time: messages are lost, duplicated, delayed and reordered, links are
// cut one way or both, nodes leave, crash and lose what was not committed, in one
// day of ten with the real store on disks that lose power. After every
// step it checks the promises of package gossip, and at the end, when the
// network has healed, that all nodes hold the same records.
//
// A run is decided by its seed alone, so a failing seed replays.
package gossiptest
