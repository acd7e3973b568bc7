package ssf

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
)

// Log keeps events on disk until they are delivered, in queues by name and number.
// [DiskLog] is one. It is safe for concurrent use.
type Log interface {
	// Append makes entries durable, all of them or none.
	Append([]LogEntry) error

	// Remove drops entries. It need not be durable: one that comes back is
	// delivered again.
	Remove(queue string, seqs []uint64) error

	// Read yields the entries of a queue from a number on, in order, until yield
	// returns false. yield does not keep the value.
	Read(queue string, from uint64, yield func(seq uint64, value []byte) bool) error
}

// LogEntry is one entry of a [Log].
type LogEntry struct {
	Queue string
	Seq   uint64
	Value []byte
}

// entry is one that was read.
type entry struct {
	seq   uint64
	value []byte
}

// queue is what waits for one receiver: in the log, and counted here.
type queue struct {
	log  Log
	name string
	max  int64 // bytes

	mu      sync.Mutex // guards the rest, and is held while the log is read
	first   uint64     // nothing is before it
	next    uint64     // the number of the next entry
	count   int
	bytes   int64
	changed chan struct{} // closed and replaced when something is added
}

// openQueue counts what the log holds.
func openQueue(log Log, name string, max int64) (*queue, error) {
	q := &queue{log: log, name: name, max: max, next: 1, changed: make(chan struct{})}
	err := log.Read(name, 0, func(seq uint64, value []byte) bool {
		if q.count == 0 {
			q.first = seq
		}
		q.next = seq + 1
		q.count++
		q.bytes += int64(len(value))
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("ssf: open the queue of %s: %w", name, err)
	}
	return q, nil
}

// seq returns the number of the next entry; only one goroutine adds.
func (q *queue) seq() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.next
}

// added counts entries that the log has taken, and drops the oldest if the queue
// is too long now; it returns how many.
func (q *queue) added(entries []LogEntry) (dropped int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range entries {
		q.next = e.Seq + 1
		q.count++
		q.bytes += int64(len(e.Value))
	}
	close(q.changed)
	q.changed = make(chan struct{})
	if q.bytes <= q.max {
		return 0, nil
	}
	var oldest []uint64
	freed := int64(0)
	err = q.log.Read(q.name, q.first, func(seq uint64, value []byte) bool {
		if q.bytes-freed <= q.max {
			return false
		}
		oldest = append(oldest, seq)
		freed += int64(len(value))
		return true
	})
	if err != nil {
		return 0, err
	}
	return len(oldest), q.dropLocked(oldest, freed)
}

func (q *queue) dropLocked(seqs []uint64, freed int64) error {
	if err := q.log.Remove(q.name, seqs); err != nil {
		return err
	}
	q.count -= len(seqs)
	q.bytes -= freed
	if q.count == 0 {
		q.first = q.next
	}
	return nil
}

// from returns up to n entries of up to limit bytes together, but at least one if
// there is any, whose numbers are seq or more.
func (q *queue) from(seq uint64, n, limit int) (all []entry, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count == 0 || n == 0 {
		return nil, nil
	}
	head := seq <= q.first
	if head {
		seq = q.first // without reading past what was removed
	}
	err = q.log.Read(q.name, seq, func(seq uint64, value []byte) bool {
		if seq >= q.next { // in the log, but not counted yet
			return false
		}
		if head && len(all) == 0 {
			q.first = seq
		}
		if limit -= len(value); len(all) > 0 && limit < 0 {
			return false
		}
		all = append(all, entry{seq, append([]byte(nil), value...)})
		return len(all) < n
	})
	return all, err
}

// get returns one entry's value, or nil.
func (q *queue) get(seq uint64) (value []byte, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.getLocked(seq)
}

func (q *queue) getLocked(seq uint64) (value []byte, err error) {
	err = q.log.Read(q.name, seq, func(found uint64, v []byte) bool {
		if found == seq {
			value = append([]byte{}, v...)
		}
		return false
	})
	return value, err
}

// remove drops those of the entries that are still there, and reports how many
// that were.
func (q *queue) remove(seqs ...uint64) (removed int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var there []uint64
	freed := int64(0)
	for _, seq := range seqs {
		value, err := q.getLocked(seq)
		if err != nil {
			return 0, err
		}
		if value != nil && !slices.Contains(there, seq) {
			there = append(there, seq)
			freed += int64(len(value))
		}
	}
	if len(there) == 0 {
		return 0, nil
	}
	return len(there), q.dropLocked(there, freed)
}

// size returns how much waits, and a channel that is closed when more comes.
func (q *queue) size() (count int, bytes int64, changed <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count, q.bytes, q.changed
}

// memory remembers the last of what it was told, so that an event does not go
// round in a ring of transmitters for ever.
type memory struct {
	seen map[[16]byte]bool
	ring [memorySize][16]byte
	at   int
}

const memorySize = 4096

// first reports whether s is told for the first time.
func (m *memory) first(s string) bool {
	sum := sha256.Sum256([]byte(s))
	key := [16]byte(sum[:16])
	if m.seen[key] {
		return false
	}
	if m.seen == nil {
		m.seen = make(map[[16]byte]bool, memorySize)
	}
	delete(m.seen, m.ring[m.at])
	m.ring[m.at], m.seen[key] = key, true
	m.at = (m.at + 1) % memorySize
	return true
}
