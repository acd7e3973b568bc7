package cluster

import "fmt"

// Reason is something that an operator should know of a node: why it is not
// ready, or what else is not as it should be.
type Reason struct {
	Kind ReasonKind
	Text string // in words, for people
}

// ReasonKind is for programs and never changes; the words of a Reason may.
type ReasonKind string

// The kinds of reasons. Kinds of the same sort begin alike.
const (
	ReasonFailed        ReasonKind = "failed"          // the node has failed and must be started again
	ReasonClosed        ReasonKind = "closed"          // the node has been closed
	ReasonLoading       ReasonKind = "loading"         // what is durable is still being read
	ReasonLooking       ReasonKind = "looking"         // for a peer
	ReasonSynchronising ReasonKind = "synchronising"   // with a peer
	ReasonNoPeer        ReasonKind = "no-peer"         // was reached within Config.JoinTimeout
	ReasonEmpty         ReasonKind = "no-peer-empty"   // likewise, and the folder was never complete
	ReasonNoRoom        ReasonKind = "no-room"         // for this node, says a member
	ReasonForeignKey    ReasonKind = "foreign-key"     // somebody is there whose key does not fit
	ReasonNoMajority    ReasonKind = "no-majority"     // of the named members is reached, or this one does not count
	ReasonMembers       ReasonKind = "members"         // the list of members and what is there differ
	ReasonNotNamed      ReasonKind = "not-named"       // this node is not one of the named members
	ReasonClockOff      ReasonKind = "clock-off"       // this machine's clock contradicts most others'
	ReasonOtherVersion  ReasonKind = "other-version"   // a node that speaks another version of the protocol is heard
	ReasonStoreAway     ReasonKind = "store-away"      // the shared log does not answer
	ReasonStoreFull     ReasonKind = "store-full"      // the shared log has no room
	ReasonStoreLost     ReasonKind = "store-lost"      // the shared log lacks what it had acknowledged
	ReasonStoreUnfit    ReasonKind = "store-unfit"     // the shared log can't be used as it is set up: permissions, version, settings
	ReasonNarrow        ReasonKind = "path-narrow"     // small messages get through and the transfer of the state does not
	ReasonUnreachable   ReasonKind = "path-address"    // nobody reaches this node at the address that it advertises
	ReasonStoreRollup   ReasonKind = "store-rollup"    // the shared log lets one message remove others
	ReasonStrangers     ReasonKind = "store-strangers" // somebody else writes into the shared log
)

// ReasonKinds returns all kinds, for whoever must have something to say of each.
func ReasonKinds() []ReasonKind {
	return []ReasonKind{
		ReasonFailed, ReasonClosed, ReasonLoading, ReasonLooking, ReasonSynchronising, ReasonNoPeer, ReasonEmpty,
		ReasonNoRoom, ReasonForeignKey, ReasonNoMajority, ReasonMembers, ReasonNotNamed, ReasonClockOff, ReasonOtherVersion,
		ReasonNarrow, ReasonUnreachable,
		ReasonStoreAway, ReasonStoreFull, ReasonStoreLost, ReasonStoreUnfit, ReasonStoreRollup, ReasonStrangers,
	}
}

// because makes a Reason.
func because(kind ReasonKind, format string, args ...any) Reason {
	return Reason{kind, fmt.Sprintf(format, args...)}
}

// Words returns the texts of reasons.
func Words(reasons []Reason) []string {
	words := make([]string, 0, len(reasons))
	for _, r := range reasons {
		words = append(words, r.Text)
	}
	return words
}

// Has reports whether one of the reasons is of that kind.
func Has(reasons []Reason, kind ReasonKind) bool {
	for _, r := range reasons {
		if r.Kind == kind {
			return true
		}
	}
	return false
}
