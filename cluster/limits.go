package cluster

import (
	"fmt"
	"time"

	"rescind"
	"rescind/gossip"
	"rescind/gossip/carrier"
)

// messageFrame is what a message of records has beside them: the seal, the header,
// and the views of some members.
const messageFrame = carrier.Overhead + 128

const (
	// limitsEvery is how often the carriers are asked how much a message may hold.
	limitsEvery = 250 * time.Millisecond
	// stuckAfter is how many requests for a part of the state stay unanswered
	// before it is said.
	stuckAfter = 3
)

// tellLimits tells the core how many records a message may hold, so that it does
// not make what no carrier moves.
func (l *loop) tellLimits(now time.Duration, members []gossip.Member) {
	if now < l.limited+limitsEvery {
		return
	}
	l.limited = now
	l.core.SetLimit(0, l.recordsTo(0))
	for _, m := range members {
		l.core.SetLimit(m.Origin, l.recordsTo(carrier.Node(m.Origin)))
	}
}

// recordsTo is how many records a message to a member may hold; 0 where no carrier
// says anything about it.
func (n *Node) recordsTo(to carrier.Node) int {
	most := 0
	for _, c := range n.carriers {
		most = max(most, c.Limit(to))
	}
	if most == 0 {
		return 0
	}
	return max(1, (most-messageFrame)/rescind.RecordSize)
}

// stuck says why the transfer of the state does not end, if it gets no answer.
func (l *loop) stuck() []Reason {
	t, under := l.core.Transfer()
	if !under || t.Unanswered < stuckAfter {
		return nil
	}
	name := t.DonorName
	if name == "" {
		name = t.Donor.String()
	}
	text := fmt.Sprintf("the transfer of the revocations gets no answer: %s has been asked %d times for a part and now for %d records (%d bytes); "+
		"small messages get through and larger ones do not, as on a path whose MTU is smaller than its ends believe, or where a firewall passes UDP and not TCP",
		name, t.Unanswered, t.Portion, t.Portion*rescind.RecordSize)
	for _, c := range l.carriers {
		if s := c.Status(); s.Largest > 0 && s.Largest < carrier.MaxMessage {
			text += fmt.Sprintf("; %s takes messages of at most %d bytes (max_payload of the NATS server)", s.Name, s.Largest)
		}
	}
	return []Reason{{ReasonNarrow, text}}
}
