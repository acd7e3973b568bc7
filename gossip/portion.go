package gossip

// Bounds of how many records one message brings.
const (
	// minPortion records, with what goes with them in a small cluster, fit a
	// datagram, which every path carries.
	minPortion = 16
	// statePortion is asked for at first: about 256 KiB.
	statePortion = 8192
)

// portion is how many records are asked of a member at a time. It halves with
// each request that stays unanswered: a path may carry small messages and none of
// the large ones (a tunnel that swallows full segments, a firewall that passes UDP
// alone, a broker's limit), and whoever asks for as much again each time never
// gets anything. A size that has got through before is given up only after several
// failures in a row, since these may be chance. After some answers the double is
// tried again, each time later if that failed.
type portion struct {
	told     int // what the member itself asked for last; 0: nothing
	limit    int // what the transports are known to carry; 0: not known
	records  int // 0: nothing has failed yet
	proved   int // the most that was answered
	failures int // in a row
	answers  int // since records last changed
	patience int // how many answers it takes to try more
}

const (
	chance        = 3 // failures in a row of what got through before
	firstPatience = 8
	mostPatience  = 256
)

// size returns how many records to ask for, of most that are wanted.
func (p *portion) size(most int) int {
	if p.records > 0 {
		most = min(most, p.records)
	}
	if p.limit > 0 {
		most = min(most, p.limit)
	}
	return max(most, 1)
}

// answer returns how many records to send, of most that there are.
func (p *portion) answer(most int) int {
	if p.told > 0 {
		most = min(most, p.told)
	}
	return p.size(most)
}

// heed notes how many records the member asked for: the path back may be as narrow.
func (p *portion) heed(most uint64) {
	if most > 0 {
		p.told = int(min(most, maxRecords))
	}
}

// shrink notes that a request for so many records was not answered in time. A
// small one says nothing about sizes.
func (p *portion) shrink(asked int) {
	p.failures++
	if asked <= minPortion || asked <= p.proved && p.failures < chance {
		return
	}
	p.records = max(minPortion, asked/2)
	p.proved = min(p.proved, p.records)
	p.patience = min(max(firstPatience, 8*p.patience), mostPatience)
	p.failures, p.answers = 0, 0
}

// grow notes that so many records were asked for and an answer has come.
func (p *portion) grow(asked int) {
	p.failures, p.proved = 0, max(p.proved, asked)
	p.answers++
	if p.records > 0 && p.records < maxRecords && p.answers >= p.patience {
		p.records, p.answers = 2*p.records, 0
	}
}

// SetLimit says how many records a message to a member may hold, as far as the
// transports know, and with origin 0, one to everybody. 0 means as many as the
// protocol allows.
func (c *Core) SetLimit(to Origin, records int) {
	if to == 0 {
		c.limit = max(records, 0)
		return
	}
	if p := c.peers[to]; p != nil {
		p.portion.limit = max(records, 0)
	}
}

// batchMost is how many records a batch to everybody holds at the most.
func (c *Core) batchMost() int {
	if c.limit > 0 {
		return min(maxBatch, c.limit)
	}
	return maxBatch
}

// Transfer is what there is to say of a transfer of the state that is under way.
type Transfer struct {
	Donor      Origin
	DonorName  string
	Unanswered int // requests since the last answer
	Portion    int // records that are asked for at a time
}

// Transfer returns the transfer of the state that is under way, if one is.
func (c *Core) Transfer() (t Transfer, under bool) {
	if c.pull == nil || c.pull.paused {
		return Transfer{}, false
	}
	t = Transfer{Donor: c.pull.donor, Unanswered: max(0, c.pull.tries-1), Portion: c.pull.asked}
	if p := c.peers[c.pull.donor]; p != nil {
		t.DonorName = p.shown()
	}
	return t, true
}
