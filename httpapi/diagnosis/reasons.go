package diagnosis

import "rescind/cluster"

// advice is what is known of a kind of reason, beside the node's own words.
type advice struct {
	severity Severity
	meaning  string
	do       string
	said     bool // another rule says more of it
}

// notAcknowledged is what each trouble with the store means.
const notAcknowledged = "New log-outs get 503 and are in force only where they have arrived. Checks go on. "

// known has a row for each kind of reason; a test compares it with cluster's list.
var known = map[cluster.ReasonKind]advice{
	cluster.ReasonFailed: {severity: Critical, meaning: "It takes no revocations.",
		do: "The log says why. Mend that and start it again."},
	cluster.ReasonClosed:  {severity: Notice, meaning: "It has been shut down and answers nothing.", do: "Start it again."},
	cluster.ReasonLoading: {severity: Notice, meaning: "It knows nothing yet.", do: "Wait."},
	cluster.ReasonLooking: {severity: Warning, meaning: "It knows no more than its own disk yet.",
		do: "Wait. If it stays so, check gossip.join, nats.url and the firewall."},
	cluster.ReasonSynchronising: {severity: Warning, meaning: "It serves from its own disk and is being brought up to date.",
		do: "Wait. If it stays so, check TCP between nodes: large messages need it."},
	cluster.ReasonNoPeer: {said: true},
	cluster.ReasonEmpty: {severity: Critical, meaning: "What it lacks may be on a node that does not answer, so it does not say that a token is valid.",
		do: "Start one of the nodes that hold revocations, or let this one reach them: gossip.join, nats.url, the firewall. Only if this is the first node of a new cluster: cluster.bootstrap: true."},
	cluster.ReasonNoRoom: {severity: Critical, meaning: "Nobody there counts this node, and it does not learn what the others know.",
		do: "Stop members that are not needed. Members that left have freed their places."},
	cluster.ReasonForeignKey: {severity: Critical, meaning: "A node with another cluster.key or cluster.name takes no part, and this may be that node.",
		do: "Compare cluster.key-file, cluster.transport-keys-file and cluster.name on all nodes. If a stranger sends to these ports, close them to strangers."},
	cluster.ReasonNoMajority: {severity: Critical, meaning: "It can't know what a majority of the members has acknowledged since, and none of its own revocations is confirmed by one.",
		do: "Start the members that are missing, or let this node reach them: gossip.join, nats.url, the firewall. rescind members names them. Only if a majority of the disks is lost for good: rescind members accept-loss."},
	cluster.ReasonMembers: {severity: Warning, meaning: "What cluster.members says, or who takes part, is not what the cluster counts.",
		do: "Set cluster.members and node.name alike on all members, change the list by one name at a time, and stop what is not one of them; a node that only checks follows (cluster.follow)."},
	cluster.ReasonNotNamed: {severity: Critical, meaning: "The members neither count this node nor send it what they know, so it can't say that a token is valid.",
		do: "Set cluster.follow on this node, or name it in cluster.members on all."},
	cluster.ReasonClockOff: {severity: Critical, meaning: "It takes no revocations, since \"now\" would be wrong, and forgets nothing.",
		do: "Set this machine's clock by NTP. The node goes on by itself."},
	cluster.ReasonOtherVersion: {severity: Critical, meaning: "Nodes of the two versions ignore each other: a log-out on one side is not known on the other.",
		do: "Finish the upgrade."},
	cluster.ReasonStoreAway: {severity: Critical, meaning: notAcknowledged + "They are kept once the stream answers.",
		do: "Check the NATS servers in nats.url: are they up, and do a majority of the stream's replicas have a leader (nats stream report)?"},
	cluster.ReasonStoreFull: {severity: Critical, meaning: notAcknowledged + "The stream drops nothing to make room.",
		do: "Raise the stream's own limit (nats stream edit --max-bytes) and, for later, store.max-bytes. Room also comes with expiry. Find out who revokes so much, or who else writes into the stream."},
	cluster.ReasonStoreLost: {severity: Critical, meaning: notAcknowledged + "Nodes that run still know what the stream has lost; one that is started now waits.",
		do: "Do not stop the nodes: one of them writes back what is missing. If the stream was deleted or made anew: take a backup of one node, restart them and restore it. Find out who restored or purged it."},
	cluster.ReasonStoreUnfit: {severity: Critical, meaning: notAcknowledged,
		do: "The reason names the cause. Set that right at the NATS servers; the node tries again by itself, or must be started again where it has ended."},
	cluster.ReasonNarrow: {severity: Warning, meaning: "It is being brought up to date in ever smaller parts, which takes longer.",
		do: "Open TCP and UDP of gossip.bind's port between the nodes, set the MTU of tunnels right or let ICMP \"fragmentation needed\" through, and raise max_payload of the NATS server to 1 MB."},
	cluster.ReasonUnreachable: {severity: Critical, meaning: "Others can't send to this node, so that it takes no part by gossip. It acknowledges nothing that they would wait for.",
		do: "Set gossip.advertise to the host:port at which the other nodes reach this one, or open that port, UDP and TCP, towards it."},
	cluster.ReasonStoreRollup: {severity: Warning, meaning: "An earlier version made the stream so. Nodes take it back once the last of that version is gone.",
		do: "Finish the upgrade. If it stays so, the log says why: nats stream edit --no-allow-rollup does the same."},
	cluster.ReasonStrangers: {severity: Warning, meaning: "They are skipped. They take room in the stream.",
		do: "The log names the subjects. Give the right to publish there to the nodes alone, see the list of permissions in docs/operations.md."},
}

// reasons passes on what the node itself says and no other rule has said.
func reasons(v View) (found []Problem) {
	if !v.Ready {
		return nil // said by readiness
	}
	for _, r := range v.Reasons {
		a, ok := known[r.Kind]
		switch {
		case a.said:
		case ok:
			found = append(found, Problem{string(r.Kind), a.severity, "This node says: " + r.Text + ".", a.meaning, a.do})
		default:
			found = append(found, Problem{"reason", Warning, "This node says: " + r.Text + ".", "It answers all the same.", "See the log of this node, and docs/operations.md."})
		}
	}
	return found
}

// firstAdvice is what to do about the first reason of which something is known.
func firstAdvice(reasons []cluster.Reason) string {
	for _, r := range reasons {
		if a := known[r.Kind]; a.do != "" {
			return a.do
		}
	}
	return "If it stays so: check gossip.join, nats.url and the firewall; large messages need TCP between nodes. The log says more."
}
