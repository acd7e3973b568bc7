package gossip

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
)

// Bounds of a list of named members. A name that fits keeps a heartbeat within a
// datagram.
const (
	MaxMembers    = 9
	MaxMemberName = 64
	maxEntries    = 2 * MaxMembers // the members of a list and of the one before
)

// ClusterID tells clusters apart that share a name and a key: 128 random bits,
// made when the first members found one. Zero: none yet.
type ClusterID [16]byte

// Incarnation is one data folder under a member's name. A folder that was wiped or
// replaced comes back as a later one.
type Incarnation struct {
	Number uint64 // 0: none is known
	Origin Origin // 0: whatever folder comes next; all up to Number are void
}

// Before reports whether j replaces i.
func (i Incarnation) Before(j Incarnation) bool {
	return i.Number < j.Number || i.Number == j.Number && i.Origin < j.Origin
}

// Roll is what a named member says beside its version vector, in heartbeats and
// acknowledgements: who the members are, in which incarnations it knows them, and
// whether it may be counted itself. Everything in it is durable at its sender.
type Roll struct {
	Cluster   ClusterID
	List      uint64 // the number of the list of members; 0: not founded yet
	Caught    bool   // it has held durably, since it learned of the list, what a majority of the one before said
	Whole     bool   // its folder has not forgotten what it acknowledged, as far as the folder says
	Sure      bool   // so many have checked, in its present life, that the folder did not go back, that it counts
	Before    bool   // its folder holds something from before the members were named
	Bootstrap bool   // it may found the cluster with a majority
	Number    uint64 // of its own incarnation; 0: it has none yet
	Vote      Origin // whom it would have found the cluster; 0: nobody yet
	Entries   []Entry
}

// Entry is one name of a Roll.
type Entry struct {
	Name             string
	InList, InBefore bool // in the list, and in the one before it while that one still counts
	Known            Incarnation
	Checked          bool // in its present life it states no less than it did before, as far as the sender remembers
}

// known returns the incarnation of a name that the sender knows.
func (r *Roll) known(name string) Incarnation {
	for _, e := range r.Entries {
		if e.Name == name {
			return e.Known
		}
	}
	return Incarnation{}
}

// counts reports whether sets of members may be made with the sender. A nil r has none.
func (r *Roll) counts() bool { return r != nil && r.Whole && r.Sure }

// checked reports whether the sender has found that what a name states is no less than
// it was.
func (r *Roll) checked(name string) bool {
	return slices.ContainsFunc(r.Entries, func(e Entry) bool { return e.Name == name && e.Checked })
}

// lists returns the names of the list and of the one before, nil if that one no
// longer counts.
func (r *Roll) lists() (names, before []string) {
	for _, e := range r.Entries {
		if e.InList {
			names = append(names, e.Name)
		}
		if e.InBefore {
			before = append(before, e.Name)
		}
	}
	return names, before
}

// unfounded reports whether the sender's folder has never been part of a cluster of
// named members.
func (r *Roll) unfounded() bool { return r.List == 0 }

func appendRoll(b []byte, r *Roll) []byte {
	if r == nil {
		return append(b, 0)
	}
	b = append(append(b, 1), r.Cluster[:]...)
	b = binary.AppendUvarint(b, r.List)
	b = appendBool(appendBool(appendBool(appendBool(appendBool(b, r.Caught), r.Whole), r.Sure), r.Before), r.Bootstrap)
	b = binary.AppendUvarint(b, r.Number)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Vote))
	b = append(b, byte(len(r.Entries)))
	for _, e := range r.Entries {
		b = append(append(b, byte(len(e.Name))), e.Name...)
		b = appendBool(appendBool(appendBool(b, e.InList), e.InBefore), e.Checked)
		b = binary.AppendUvarint(b, e.Known.Number)
		b = binary.BigEndian.AppendUint64(b, uint64(e.Known.Origin))
	}
	return b
}

func (r *reader) roll() *Roll {
	if !r.bool() {
		return nil
	}
	var m Roll
	copy(m.Cluster[:], r.take(len(m.Cluster)))
	m.List = r.uvarint()
	m.Caught, m.Whole, m.Sure, m.Before, m.Bootstrap = r.bool(), r.bool(), r.bool(), r.bool(), r.bool()
	m.Number, m.Vote = r.uvarint(), Origin(r.uint64())
	n := int(r.byte())
	r.failed = r.failed || n > maxEntries
	for range n {
		if r.failed {
			return nil
		}
		e := Entry{Name: string(r.take(int(r.byte())))}
		e.InList, e.InBefore, e.Checked = r.bool(), r.bool(), r.bool()
		e.Known = Incarnation{r.uvarint(), Origin(r.uint64())}
		last := len(m.Entries) - 1
		r.failed = r.failed || e.Name == "" || len(e.Name) > MaxMemberName || last >= 0 && m.Entries[last].Name >= e.Name
		m.Entries = append(m.Entries, e)
	}
	return &m
}

// RollState is what a named member keeps in its folder, beside records and
// frontiers and in the same commits.
type RollState struct {
	Cluster ClusterID `json:"cluster"`

	// List numbers Names, from 1 when the cluster was founded. Before is the list
	// that Names replaced, until a majority of Names holds what a majority of
	// Before had acknowledged. Both are sorted.
	List   uint64   `json:"list"`
	Names  []string `json:"names"`
	Before []string `json:"before,omitempty"`
	Caught bool     `json:"caught,omitempty"`

	// Configured is the setting as of the last start: only one that has changed
	// since asks for a change of the list.
	Configured []string `json:"configured"`

	// Whole: the folder has not forgotten what it acknowledged, so it counts.
	Whole bool `json:"whole"`

	// Opened says that the folder held something before its members were named.
	Opened bool `json:"opened,omitempty"`

	Number uint64                 `json:"number"` // of this folder's incarnation; 0: none yet
	Vote   Origin                 `json:"vote,omitempty"`
	Known  map[string]Incarnation `json:"known"`

	// Stated is what each other member last said to hold durably. One that says
	// less in the same folder has gone back to an older copy of it.
	Stated map[string]map[Origin]Position `json:"stated,omitempty"`
}

// Encode returns the stored form.
func (s RollState) Encode() []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // maps of strings and numbers only
	}
	return b
}

// DecodeRollState reads what Encode wrote.
func DecodeRollState(b []byte) (s RollState, err error) {
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("read the state of the named members: %w", err)
	}
	if err := CheckMembers(s.Names); err != nil {
		return s, fmt.Errorf("read the state of the named members: %w", err)
	}
	return s, nil
}

func (s RollState) clone() RollState {
	s.Names, s.Before, s.Configured = slices.Clone(s.Names), slices.Clone(s.Before), slices.Clone(s.Configured)
	s.Known = maps.Clone(s.Known)
	s.Stated = maps.Clone(s.Stated) // the inner maps are replaced, never changed
	return s
}

// CheckMembers returns what is wrong with a sorted list of names: one, or three to
// nine, all different.
func CheckMembers(names []string) error {
	if len(names) != 1 && (len(names) < 3 || len(names) > MaxMembers) {
		return fmt.Errorf("%d names; a list of members has 1, or 3 to %d", len(names), MaxMembers)
	}
	for i, name := range names {
		switch {
		case name == "" || len(name) > MaxMemberName:
			return fmt.Errorf("the name %.80q has %d bytes; use 1 to %d", name, len(name), MaxMemberName)
		case i > 0 && names[i-1] == name:
			return fmt.Errorf("the name %q is there twice", name)
		case i > 0 && names[i-1] > name:
			return errors.New("the names are not sorted")
		}
	}
	return nil
}

// checkChange returns why a list can't follow another: one name is added or
// removed at a time, so that two majorities always meet.
func checkChange(from, to []string) error {
	added, removed := without(to, from), without(from, to)
	if len(added)+len(removed) == 1 {
		return nil
	}
	return fmt.Errorf("the list goes from %s to %s; add or remove one name at a time",
		strings.Join(from, ","), strings.Join(to, ","))
}

// without returns the names of a that are not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// members is a set of names: bit i stands for the i-th name of both lists
// together.
type members uint32

// majorities says which sets of members are enough: more than half of the list and,
// while the list before still counts, of that one too.
type majorities struct {
	names []string  // of both lists, sorted
	lists []members // one or two
}

func majoritiesOf(s *RollState) majorities {
	m := majorities{names: slices.Clone(s.Names)}
	m.names = append(m.names, without(s.Before, s.Names)...)
	slices.Sort(m.names)
	for _, list := range [][]string{s.Names, s.Before} {
		if len(list) > 0 {
			m.lists = append(m.lists, m.set(list...))
		}
	}
	return m
}

// set returns the set of those of the names that are members.
func (m majorities) set(names ...string) (s members) {
	for _, name := range names {
		if i, ok := slices.BinarySearch(m.names, name); ok {
			s |= 1 << i
		}
	}
	return s
}

// enough reports whether s holds more than half of each list that counts.
func (m majorities) enough(s members) bool {
	for _, list := range m.lists {
		if bits.OnesCount32(uint32(s&list)) <= bits.OnesCount32(uint32(list))/2 {
			return false
		}
	}
	return true
}

// all reports whether s holds every member.
func (m majorities) all(s members) bool { return s == 1<<len(m.names)-1 }

// voice is a member as far as it can be part of a set that counts: who it is, what
// it knew of the others when it spoke, and up to where it speaks for.
type voice struct {
	name  string
	is    Incarnation
	knows func(name string) Incarnation
	upTo  uint64
}

// outdates reports whether v knows that w has been replaced.
func (v voice) outdates(w voice) bool { return w.is.Before(v.knows(w.name)) }

// best returns the highest place up to which some set of voices speaks that suffices
// together with self and in which nobody knows that another has been replaced (W3
// and R2 of docs/protocol.md). There are at most nine voices, so all sets are tried.
func (m majorities) best(self voice, voices []voice, suffices func(members) bool) (upTo uint64, ok bool) {
	voices = slices.DeleteFunc(slices.Clone(voices), func(v voice) bool { return self.outdates(v) || v.outdates(self) })
	void := make([]members, len(voices)) // by voice, which others it can't be with
	for i, v := range voices {
		for j, w := range voices {
			if i != j && (v.outdates(w) || w.outdates(v)) {
				void[i] |= 1 << j
			}
		}
	}
	for chosen := members(0); chosen < 1<<len(voices); chosen++ {
		set, least, valid := m.set(self.name), ^uint64(0), true
		for i, v := range voices {
			if chosen&(1<<i) == 0 {
				continue
			}
			valid = valid && chosen&void[i] == 0
			set |= m.set(v.name)
			least = min(least, v.upTo)
		}
		if valid && suffices(set) && (!ok || least > upTo) {
			upTo, ok = least, true
		}
	}
	return upTo, ok
}
