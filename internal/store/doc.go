// Package store is the durable state of one node: its identity, its
// revocations and how far it has followed the other nodes.
//
// # Guarantees
//
// A batch for which Commit has returned nil survives kill -9 and loss of power,
// as a whole; one for which Commit has not returned nil is there as a whole or
// not at all. Values of one key join instead of replacing one another, so commits
// may overlap and land in any order. Every Open starts an epoch that this folder
// has not used, and that epoch is on disk before Open returns. Lapsed records
// leave the disk by whole expiry buckets, never early and up to [BucketWidth]
// and one Drop late.
//
// # Failures
//
//	what happens                         what the store does
//	a write or sync fails (EIO, ENOSPC)  Commit returns ErrFailed, for ever; reads go on; the process goes on; all that was acknowledged is there after a restart
//	a file can't even be looked at       the same
//	no file can be opened (EMFILE,       Commit waits until the process has closed some, tries again, and says so
//	ENFILE)
//	power fails in mid-write             the torn end of the log is cut at the next Open; nothing acknowledged was in it
//	power fails between two names        the folder opens, also on a file system that keeps no order among names
//	a bit flips in the log or manifest   Open returns ErrCorrupt; but for the log's last few bytes, see below
//	a table is damaged, cut or missing   Open or Load returns ErrCorrupt
//	the last write of the log or of the  not told from a torn end: cut, and what was acknowledged in it is lost here.
//	manifest turns to garbage, or a      After Close the log is empty
//	log file is deleted
//	the folder is an older copy          a new epoch, provided that the clock has moved past the newest epoch ever used
//	Pebble finds its own state broken    the process panics: there is no safe way on
//
// A failed sync is never repeated, because the kernel may have dropped the dirty
// pages and report success the second time (Rebello et al., "Can Applications
// Recover from fsync Failures?", USENIX ATC 2020). After the first failure no
// further write is begun: the folder stays as a crash at that moment would have
// left it.
//
// # Cost
//
// One commit costs one fsync; concurrent ones share it. Where appending to a file
// and syncing it goes 5,500 times a second, one goroutine commits 5,300 times and
// 64 do 132,000 times (BenchmarkCommit). Loading takes some 0.2 µs a record.
// The disk takes what the files hold, which Stats tells: no log is preallocated and
// none is kept for another use, which cost 17.6 MiB each, up to seventeen of them, and
// gained nothing here (BenchmarkCommit). Memory does not grow with the records held: Pebble is given Options.MemTable
// (16 MiB), mostly twice, and a cache of 8 MiB.
//
// It is built on Pebble, the storage engine of CockroachDB: an LSM tree with
// group commit and checksums.
package store
