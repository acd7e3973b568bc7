package gossip

import (
	"slices"

	"rescind"
)

// Bounds of what a node remembers of one stream.
const (
	maxAhead   = 1 << 15 // records beyond a gap
	maxAheads  = 64      // stretches of them
	maxPending = 8       // echoes that wait for the frontier
)

// stream is one epoch of one origin as far as it is known here.
//
// Invariants: records 1..received have all been handed out for application.
// log holds the last of them, up to number received. ahead holds disjoint
// stretches in ascending order, each beginning beyond received+1. head is at
// least every number seen.
type stream struct {
	epoch    uint64
	received uint64
	head     uint64
	log      repairLog
	ahead    []stretch
}

// stretch is a run of records with consecutive numbers.
type stretch struct {
	first   uint64
	records []rescind.Record
}

func (s stretch) last() uint64 { return s.first + uint64(len(s.records)) - 1 }

// add takes the records first, first+1, ... and returns those not seen before.
// Where there is no room to remember them beyond a gap, they are still
// returned, and the gap is larger than it need be.
func (s *stream) add(first uint64, records []rescind.Record) (fresh []rescind.Record) {
	if first == 0 || first+uint64(len(records)) < first {
		return nil
	}
	if n := len(records); n > 0 {
		s.head = max(s.head, first+uint64(n)-1)
	}
	for len(records) > 0 {
		n := s.seen(first)
		if n == 0 {
			n = min(s.unseen(first), uint64(len(records)))
			s.remember(stretch{first, records[:n]})
			fresh = append(fresh, records[:n]...)
		}
		n = min(n, uint64(len(records)))
		first, records = first+n, records[n:]
	}
	s.join()
	return fresh
}

// seen returns how many records from number first on are already here.
func (s *stream) seen(first uint64) uint64 {
	if first <= s.received {
		return s.received - first + 1
	}
	for _, a := range s.ahead {
		if a.first <= first && first <= a.last() {
			return a.last() - first + 1
		}
	}
	return 0
}

// unseen returns how many records from number first on are not here.
func (s *stream) unseen(first uint64) uint64 {
	for _, a := range s.ahead {
		if a.first > first {
			return a.first - first
		}
	}
	return ^uint64(0)
}

func (s *stream) remember(a stretch) {
	if a.first == s.received+1 {
		s.extend(a.records)
		return
	}
	held := 0
	for _, b := range s.ahead {
		held += len(b.records)
	}
	if len(s.ahead) >= maxAheads || held+len(a.records) > maxAhead {
		return
	}
	at, _ := slices.BinarySearchFunc(s.ahead, a.first, func(b stretch, first uint64) int {
		if b.first < first {
			return -1
		}
		return 1
	})
	s.ahead = slices.Insert(s.ahead, at, stretch{a.first, slices.Clone(a.records)})
}

// join moves stretches that have become contiguous behind the frontier.
func (s *stream) join() {
	for len(s.ahead) > 0 && s.ahead[0].first <= s.received+1 {
		a := s.ahead[0]
		s.ahead = slices.Delete(s.ahead, 0, 1)
		if a.last() > s.received {
			s.extend(a.records[s.received+1-a.first:])
		}
	}
}

// extend appends records right after the frontier.
func (s *stream) extend(records []rescind.Record) {
	s.received += uint64(len(records))
	s.head = max(s.head, s.received)
	s.log.append(records)
}

// skip moves the frontier to seq because everything up to there is held by
// other means.
func (s *stream) skip(seq uint64) {
	if seq <= s.received {
		return
	}
	s.received = seq
	s.head = max(s.head, seq)
	s.log = repairLog{}
	s.join()
}

// gap returns the first missing range.
func (s *stream) gap() (from, to uint64, ok bool) {
	if s.received >= s.head {
		return 0, 0, false
	}
	to = s.head
	if len(s.ahead) > 0 {
		to = s.ahead[0].first - 1
	}
	return s.received + 1, to, true
}

// slice returns the records from number from on, to number to or as many as
// fit a message; ok is false if they are no longer remembered.
func (s *stream) slice(from, to uint64) (records []rescind.Record, ok bool) {
	first := s.received + 1 - uint64(s.log.n)
	if from < first || from > to {
		return nil, false
	}
	to = min(to, s.received, from+maxRecords-1)
	if from > to {
		return nil, true
	}
	return s.log.from(int(from-first), int(to+1-from)), true
}
