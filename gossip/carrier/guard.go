package carrier

import (
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
)

// Bounds of what a Guard remembers: some 8 KiB for each process.
const (
	// guardWindow is how far behind the latest message of its process one may arrive: some
	// seconds at the highest rates. What comes later is repaired.
	guardWindow = 1 << 15

	maxGuarded   = 1024 // processes of which a message was dated as of now
	maxDoubtful  = 64   // and others
	guardedPaths = 2    // transports, each of which brings a message once
)

// Why a message is not let in.
var (
	// ErrDuplicate: another transport has brought it. That is how it should be.
	ErrDuplicate = errors.New("another transport has brought this message")

	// ErrReplayed: it came by this transport before, or is older than what is remembered of
	// its process.
	ErrReplayed = errors.New("this message came before, or is too old to tell")
)

// Guard lets each sealed message in once. It remembers, for each sealing process, which of the
// latest counters it has seen by which transport. Its memory is bounded, and ends
// with the process: of a process that it has not seen before, messages are let in
// from the first one on, and earlier ones only while they are dated as of now. How much
// a first one is worth is for the caller to judge by its date.
//
// Whoever sends recorded messages can displace nobody from the memory who is
// sending now. The zero value is ready for use; it is safe for concurrent use.
type Guard struct {
	mu       sync.RWMutex // guards the maps
	sure     map[[saltSize]byte]*process
	doubtful map[[saltSize]byte]*process
	uses     atomic.Uint64
}

// process is what is remembered of one. Invariant: of the counters up to top, and
// less than guardWindow below it, seen says which came by which transport.
type process struct {
	used atomic.Uint64 // of Guard.uses, when it was last let in

	mu         sync.Mutex // guards the fields below
	first, top uint64
	seen       [guardedPaths][guardWindow / 64]uint64
}

// Seen returns why a sealed message is not worth opening, or nil. It believes
// nothing of it: only what was let in counts.
func (g *Guard) Seen(path int, sealed []byte) error {
	if len(sealed) < headerSize || path < 0 || path >= guardedPaths {
		return nil
	}
	p := g.find([saltSize]byte(sealed[2:counterAt]))
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.check(path, binary.BigEndian.Uint64(sealed[counterAt:]))
}

// Admit lets in a message that has proved to be authentic, or returns why not. fresh
// says that it is dated as of now.
func (g *Guard) Admit(path int, sealed []byte, fresh bool) error {
	if path < 0 || path >= guardedPaths {
		return nil
	}
	salt := [saltSize]byte(sealed[2:counterAt])
	counter := binary.BigEndian.Uint64(sealed[counterAt:])
	p := g.remember(salt, counter, fresh)
	p.mu.Lock()
	defer p.mu.Unlock()
	if counter < p.first && !fresh {
		return ErrReplayed // from before we knew of the process
	}
	err := p.check(path, counter)
	if err == nil || errors.Is(err, ErrDuplicate) {
		p.mark(path, counter)
		p.used.Store(g.uses.Add(1))
	}
	return err
}

func (g *Guard) find(salt [saltSize]byte) *process {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if p := g.sure[salt]; p != nil {
		return p
	}
	return g.doubtful[salt]
}

// remember returns the entry of a process, making room for a new one.
func (g *Guard) remember(salt [saltSize]byte, counter uint64, fresh bool) *process {
	g.mu.RLock()
	p := g.sure[salt]
	g.mu.RUnlock()
	if p != nil {
		return p
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sure == nil {
		g.sure, g.doubtful = map[[saltSize]byte]*process{}, map[[saltSize]byte]*process{}
	}
	if p = g.sure[salt]; p != nil {
		return p
	}
	if p = g.doubtful[salt]; p == nil {
		p = &process{first: counter, top: counter}
	}
	if !fresh {
		put(g.doubtful, maxDoubtful, salt, p)
		return p
	}
	delete(g.doubtful, salt)
	put(g.sure, maxGuarded, salt, p)
	return p
}

// put adds p to a table, in place of whoever has sent nothing for longest if that
// is full.
func put(table map[[saltSize]byte]*process, most int, salt [saltSize]byte, p *process) {
	if table[salt] == nil && len(table) >= most {
		var oldest [saltSize]byte
		least := ^uint64(0)
		for s, q := range table {
			if used := q.used.Load(); used < least {
				oldest, least = s, used
			}
		}
		delete(table, oldest)
	}
	table[salt] = p
}

// check judges a counter. The caller holds mu.
func (p *process) check(path int, counter uint64) error {
	if counter > p.top {
		return nil
	}
	if p.top-counter >= guardWindow {
		return ErrReplayed
	}
	word, bit := counter%guardWindow/64, uint64(1)<<(counter%64)
	switch {
	case p.seen[path][word]&bit != 0:
		return ErrReplayed
	case p.seen[1-path][word]&bit != 0:
		return ErrDuplicate
	}
	return nil
}

// mark notes that a counter came, and moves the window up to it. The caller holds mu.
func (p *process) mark(path int, counter uint64) {
	if counter > p.top {
		p.clear(p.top+1, counter)
		p.top = counter
	}
	p.seen[path][counter%guardWindow/64] |= 1 << (counter % 64)
}

// clear forgets what was noted of the counters that had the places of these.
func (p *process) clear(from, to uint64) {
	if to-from >= guardWindow-1 {
		p.seen = [guardedPaths][guardWindow / 64]uint64{}
		return
	}
	for c := from; c <= to; {
		n := min(64-c%64, to-c+1) // up to the end of a word
		mask := ^uint64(0) >> (64 - n) << (c % 64)
		for path := range p.seen {
			p.seen[path][c%guardWindow/64] &^= mask
		}
		c += n
	}
}
