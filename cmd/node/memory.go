package main

import (
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime/debug"

	"rescind/cmd/node/config"
	"rescind/internal/admission"
)

const (
	// memoryReserve is what a node takes besides its revocations, in bytes: some
	// 50 MB at rest, and the store's buffers, verified tokens and requests, and at most
	// 32 MiB of records to repair other members from (gossip's maxLogs).
	memoryReserve = 128 << 20

	// recordBytes is what one revocation takes, of a token or a session, in bytes:
	// see package filter.
	recordBytes = 28
)

// memory is what the revocations of a node may take.
type memory struct {
	limit    int64 // of the process in bytes; 0: none
	clients  int64 // what those may take who have not shown who they are, in bytes; 0: not known
	setBytes int   // of tables and filter; 0: no bound
	records  int
}

// memoryOf says how the limit of the process, of memory.limit, GOMEMLIMIT or else the
// control group, is shared out. Of what is left beside the reserve a part is for
// clients (package admission), and of the rest the revocations take two thirds: while
// tables grow there is an old and a new one, and the garbage collector needs room.
//
// A limit that nobody set does not keep a node from starting: where it is too small,
// the revocations get an eighth of it.
func memoryOf(c *config.Config) (memory, error) {
	m := memory{limit: c.Memory.Limit, records: c.Revocations.Max}
	from := "memory.limit"
	if m.limit == 0 && goMemoryLimit != math.MaxInt64 {
		m.limit, from = goMemoryLimit, "GOMEMLIMIT"
	}
	if m.limit == 0 {
		return m, nil
	}
	spare := max(m.limit-memoryReserve, 0)
	m.clients = admission.MemoryFor(spare)
	m.setBytes = int(max(spare-m.clients, 0) / 3 * 2)
	if c.Memory.FromCgroup {
		from = "the control group's memory limit"
		m.setBytes = max(m.setBytes, int(m.limit/8))
	}
	fit := m.setBytes / recordBytes
	switch {
	case fit < 1000:
		return m, fmt.Errorf("%s is %d MiB, of which a node takes %d MiB besides its revocations; raise it", from, m.limit>>20, (memoryReserve+m.clients)>>20)
	case !c.Given("revocations.max"):
		m.records = min(fit, math.MaxInt32)
	case m.records > fit:
		return m, fmt.Errorf("revocations.max is %d, but %s leaves room for %d: lower the one or raise the other to %d MiB", m.records, from, fit, limitFor(m.records)>>20+1)
	}
	return m, nil
}

// limitFor returns the limit that leaves room for so many revocations, in bytes.
func limitFor(records int) int64 {
	sets := int64(records) * recordBytes * 3 / 2
	least := memoryReserve + sets
	return least + max(admission.MemoryFor(least), admission.MemoryFor((least-memoryReserve)*4/3))
}

// log says what was taken for the limit where nobody set one.
func (m memory) log(c *config.Config, log *slog.Logger) {
	if !c.Memory.FromCgroup {
		return
	}
	log.Info("memory.limit is not set: taken from the control group of this process", "limit_mib", m.limit>>20, "revocations_max", m.records)
	if least := int64(memoryReserve) + m.clients; m.limit < least {
		log.Warn("the control group leaves this node less memory than it takes besides its revocations; it may be killed", "limit_mib", m.limit>>20, "besides_mib", least>>20)
	}
}

// goMemoryLimit is what GOMEMLIMIT says, or math.MaxInt64.
var goMemoryLimit = debug.SetMemoryLimit(-1)

// keepTo has the garbage collector keep to the limit, and run when the heap has
// grown by half instead of doubled, unless GOGC says otherwise or GOMEMLIMIT does
// its work. Nearly all of a node's memory is tables without pointers, which a
// collection passes over: it costs 2 ms with 100 M revocations, and the process
// needs that much less room to grow.
func (m memory) keepTo() {
	limit := m.limit
	if limit == 0 {
		limit = math.MaxInt64
	}
	debug.SetMemoryLimit(limit)
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(50)
	}
}
