package admission

import "math"

// Process is what a process may take. A zero means that it is not known.
type Process struct {
	Files  int64 // descriptors that it may have open
	Memory int64 // bytes that strangers may take of it, all together
}

// Uses says what a process opens to others besides HTTP.
type Uses struct{ Admin, GRPC, Gossip bool }

// Plan is how large the rooms of a process are.
type Plan struct {
	HTTP, Admin, GRPC int64 // connections
	Requests          int64 // of HTTP/2 at one time
	Calls             int64 // of gRPC whose message has not arrived
	GossipBytes       int64 // of streams between nodes whose sender has not shown the key
}

// What each takes at its worst, in bytes. TestAttackMemory in cmd/node holds the sum
// against what a process takes.
const (
	connectionBytes = 128 << 10 // a header of 36 KiB and a body of 64 KiB, with what reading them left behind
	requestBytes    = 64 << 10  // a header
	grpcBytes       = 256 << 10 // 128 calls, answered but not read, each with 2 KiB
	callBytes       = 128 << 10 // a message
)

const (
	// keptFiles is for the store's tables and log, the transports, keys that are
	// fetched, and files that are read again.
	keptFiles = 448

	// unknownMemory is what strangers may take where nobody says what there is.
	unknownMemory = 2 << 30

	leastConnections = 16
	leastGossipBytes = 24 << 20 // a few of the largest messages at once
	leastMemory      = 24 << 20
)

// MemoryFor is the part of memory, in bytes, that is for strangers.
func MemoryFor(memory int64) int64 { return min(max(memory/4, leastMemory), unknownMemory) }

// PlanFor shares out what p has.
func PlanFor(p Process, u Uses) Plan {
	memory := p.Memory
	if memory <= 0 {
		memory = unknownMemory
	}
	files := int64(math.MaxInt32)
	if p.Files > 0 {
		files = p.Files - min(keptFiles, p.Files/2)
	}
	var plan Plan
	// In sixteenths: HTTP has what the others don't use.
	left := int64(16)
	part := func(use bool, sixteenths int64) (m, f int64) {
		if !use {
			return 0, 0
		}
		left -= sixteenths
		return memory * sixteenths / 16, files * sixteenths / 16
	}
	connections := func(memory, files, each int64) int64 { return max(min(memory/each, files), leastConnections) }
	if m, f := part(u.Admin, 1); u.Admin {
		plan.Admin = connections(m, f, connectionBytes)
	}
	if m, f := part(u.GRPC, 4); u.GRPC {
		plan.GRPC = connections(m/2, f, grpcBytes)
		plan.Calls = max(m/2/callBytes, leastConnections)
	}
	if m, _ := part(u.Gossip, 3); u.Gossip {
		plan.GossipBytes = max(m, leastGossipBytes)
	}
	m, f := part(true, left)
	plan.HTTP = connections(m*3/4, f, connectionBytes)
	plan.Requests = max(m/4/requestBytes, leastConnections)
	return plan
}
