package gossip

import "rescind"

// Bounds of what a node remembers of streams, to repair others from.
const (
	logChunk = 1 << 8  // records: 8 KiB, which a stream of few takes
	maxLog   = 1 << 16 // records of one stream: 2 MiB
	// maxLogs bounds the records of all streams together, 32 MiB, which a node's
	// memory has as a fixed part: see memoryReserve of cmd/node. Beyond it the longest
	// logs give way, and who asks for what they had is sent the state.
	maxLogs = 1 << 20
)

// repairLog is the last records of a stream, in chunks, so that it grows by what
// comes and forgets without copying. Its zero value is empty.
type repairLog struct {
	chunks []*[logChunk]rescind.Record
	start  int // of the first record, in the first chunk
	n      int
}

func (l *repairLog) append(records []rescind.Record) {
	for len(records) > 0 {
		end := l.start + l.n
		if end == len(l.chunks)*logChunk {
			l.chunks = append(l.chunks, new([logChunk]rescind.Record))
		}
		copied := copy(l.chunks[end/logChunk][end%logChunk:], records)
		records = records[copied:]
		l.n += copied
		l.trim(maxLog)
	}
}

// trim forgets the oldest records beyond n.
func (l *repairLog) trim(n int) {
	if l.n <= n {
		return
	}
	l.start += l.n - n
	l.n = n
	whole := l.start / logChunk
	clear(l.chunks[:whole])
	l.chunks = l.chunks[whole:]
	l.start %= logChunk
	if n == 0 {
		*l = repairLog{}
	}
}

// from returns a copy of count records from the i-th on.
func (l *repairLog) from(i, count int) []rescind.Record {
	records := make([]rescind.Record, 0, count)
	for at := l.start + i; len(records) < count; at = l.start + i + len(records) {
		chunk := l.chunks[at/logChunk][at%logChunk:]
		records = append(records, chunk[:min(len(chunk), count-len(records))]...)
	}
	return records
}

// trimLogs keeps to maxLogs.
func (c *Core) trimLogs() {
	total := c.own.log.n
	for _, p := range c.list {
		total += p.log.n
	}
	for total > c.maxLogs() {
		longest := &c.own.log
		for _, p := range c.list {
			if p.log.n > longest.n {
				longest = &p.log
			}
		}
		gives := min(longest.n, logChunk)
		longest.trim(longest.n - gives)
		total -= gives
	}
}

func (c *Core) maxLogs() int {
	if c.logs > 0 {
		return c.logs
	}
	return maxLogs
}
