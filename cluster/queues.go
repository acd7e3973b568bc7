package cluster

// Queue is a place in a node where something waits.
type Queue struct {
	Name   string
	Length int
	Limit  int // what comes beyond it waits outside, or is refused or dropped and counted
}

// queues returns how full the node's queues are at this moment.
func (n *Node) queues() []Queue {
	return []Queue{
		{"inbox", len(n.inbox.messages), cap(n.inbox.messages)},
		{"proposals", len(n.proposals), cap(n.proposals)},
		{"scans", len(n.readers.scans), cap(n.readers.scans)},
		{"comparisons", len(n.readers.compares), cap(n.readers.compares)},
		{"version_waits", n.waiting.len(), maxWaiting},
	}
}
