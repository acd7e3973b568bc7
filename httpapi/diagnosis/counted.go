package diagnosis

import "fmt"

// counted is about what has been counted in the last minutes.
func counted(v View) (found []Problem) {
	now, before := v.Counters, v.Before
	for _, c := range []struct {
		n uint64
		Problem
	}{
		{now.Refused - before.Refused, Problem{"foreign-messages", Warning, "Messages came that are not sealed with this cluster's key, or are of another cluster",
			"They were ignored. If they come from one of your nodes, that one takes no part.",
			"Compare cluster.key and cluster.name on all nodes; while transport keys are being rotated, cluster.transport-keys-file. Otherwise somebody else sends to this port: close it to strangers."}},
		{now.Unsound - before.Unsound, Problem{"unsound", Critical, "Parts of the set in memory were not what had been put there",
			"A comparison with a peer heals it. Until then a revoked token may have been accepted here.",
			"Take this machine out of service and test its memory."}},
		{now.Healed - before.Healed, Problem{"healed", Notice, "Records were missing here and were found only by a comparison with another node",
			"They are here now. A few after a crash are usual.",
			"If it goes on, look for a node with failing memory or a failing disk."}},
		{now.Malformed - before.Malformed, Problem{"malformed", Warning, "Messages could not be understood although their seal was good",
			"They were ignored. What they carried is asked for again.",
			"Look for a node with another build, or with failing memory."}},
		{now.TooStale - before.TooStale, Problem{"too-stale", Warning, "Checks asked for a staleness that this node could not meet",
			"They got 503.",
			"If this node is behind, see above. Otherwise the bound is too tight: the staleness is usually below half a second."}},
		{now.WaitTimeouts - before.WaitTimeouts, Problem{"version-waits", Warning, "Checks waited in vain for the version of a log-out",
			"They got 503, and should have asked again.",
			"If this node is behind, see above. Otherwise clients send versions that no node has given them."}},
		{now.WaitsRefused - before.WaitsRefused, Problem{"version-waits-refused", Warning, "Checks with a version were refused, because too many wait already",
			"They got 503.",
			"If this node is behind, see above. Otherwise somebody sends invented versions: find out who."}},
		{now.Dropped - before.Dropped, Problem{"messages-dropped", Notice, "Messages came faster than this node could take them",
			"Nothing is lost for good: gaps are found and asked for again.",
			"Give the machine more processor, or revoke in smaller bursts."}},
		{now.Unsigned + now.ForgedAcks + now.Epochs + now.Numbers + now.Newcomers - before.Unsigned - before.ForgedAcks - before.Epochs - before.Numbers - before.Newcomers, Problem{
			"rogue-member", Critical, "Somebody who has the cluster key says what can't be true of other members",
			"It is not believed: only a member itself says that it leaves, and in which epoch it is.",
			"Find the node, by its address in the log of the network. Then rotate the transport keys away from it: rescind keys rotate."}},
		{now.TurnedAway - before.TurnedAway, Problem{"turned-away", Critical, "Nodes were turned away, because there is no room for more members here",
			"They are told so, and are not ready. Nothing that they accept counts here.",
			"Stop members that are not needed. Members that left have freed their places."}},
		{now.ReadsDropped - before.ReadsDropped, Problem{"reads-dropped", Notice, "Requests of others to read this node's set found no room",
			"They ask again, or ask another node.",
			"Nothing, if nodes are just starting. Otherwise this machine is overloaded."}},
	} {
		found = append(found, c.seen(c.n)...)
	}
	return found
}

// uses is about one-time tokens.
func uses(v View) (found []Problem) {
	now, before := v.Counters, v.Before
	double := Problem{"double-use", Critical, "One-time tokens were used here although another node had accepted them",
		"Both uses went through. It was found when they met, and the session has been ended if so configured.",
		"Use mode strict where that matters. If it is many, somebody tries it on purpose: the log names them by digest."}
	undecided := Problem{"undecided", Critical, "Strict uses of one-time tokens could not be decided",
		"They got 503, and such a token may be used up without a winner.",
		"JetStream has no quorum, is away, or is not known to sync its files: the log says which. Check the servers in nats.url."}
	return append(double.seen(now.DoubleUses-before.DoubleUses), undecided.seen(now.ConsumeUndecided-before.ConsumeUndecided)...)
}

// seen returns p with how often it was seen in the last minutes, or nothing.
func (p Problem) seen(n uint64) []Problem {
	if n == 0 || n >= 1<<63 { // counted backwards: Before is of an earlier life
		return nil
	}
	p.What += fmt.Sprintf(": %d in the last minutes.", n)
	return []Problem{p}
}
