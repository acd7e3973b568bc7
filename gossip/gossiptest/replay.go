package gossiptest

import (
	"errors"
	"time"
)

// maxRecorded is how many messages are kept to be sent again, at random ones.
const maxRecorded = 4096

// record keeps a message for whoever sends it again without being able to read it.
func (s *Sim) record(d delivery) {
	switch {
	case s.opt.Replay == 0:
	case len(s.recorded) < maxRecorded:
		s.recorded = append(s.recorded, d)
	default:
		s.recorded[s.rng.IntN(maxRecorded)] = d
	}
}

// replay now and then sends one of the messages again: to whom it was sent, or to
// anybody. The seal lets a message into a process once; here it comes as often as it
// likes, since what the seal knows ends with the process.
func (s *Sim) replay(messages []delivery) {
	if s.opt.Replay == 0 || len(messages) == 0 || s.rng.Float64() >= s.opt.Replay {
		return
	}
	d := messages[s.rng.IntN(len(messages))]
	if s.rng.IntN(2) == 0 {
		d.to = s.rng.IntN(len(s.nodes))
	}
	if d.to < len(s.nodes) {
		s.queue[s.now+tick] = append(s.queue[s.now+tick], d)
	}
}

// sleep runs a while, in which messages are recorded, and then has all nodes down for
// Options.Night. One more node is there until then, and never again.
func (s *Sim) sleep() error {
	if s.opt.Night == 0 {
		return nil
	}
	for end := s.now + evening; s.now < end; {
		s.trouble()
		if err := s.step(); err != nil {
			return err
		}
	}
	for _, n := range s.nodes {
		if n.core != nil {
			s.crash(n)
		}
	}
	gone := s.nodes[len(s.nodes)-1]
	if gone.folder != nil && gone.folder.store != nil {
		s.broken = errors.Join(s.broken, gone.folder.store.Close())
	}
	s.note("n%d is gone for good, and it is %v later", gone.index, s.opt.Night)
	s.nodes = s.nodes[:len(s.nodes)-1]
	s.ancient, s.recorded = s.recorded, nil
	s.now += s.opt.Night
	clear(s.queue)
	for _, n := range s.nodes {
		n.upAt = s.now + s.upTo(100*tick)
	}
	return s.broken
}

// evening is how long a run with a night lasts before it.
const evening = 1500 * time.Millisecond
