package diagnosis

import (
	"fmt"
	"strings"
	"time"

	"rescind"
	"rescind/cluster"
	"rescind/gossip/carrier"
)

func readiness(v View) []Problem {
	switch {
	case v.Draining:
		return []Problem{{"draining", Notice, "This node has been told to stop.",
			"It still answers checks, and load balancers are told to ask another node.",
			"Nothing, if you stopped it. Its peers take over what they have not acknowledged yet."}}
	case !v.Ready:
		return []Problem{{"not-ready", Critical, "This node is not ready: " + words(cluster.Words(v.Reasons), "it does not say why") + ".",
			"Tokens that are known to be revoked get 401. All others get 503, because it can't know yet.",
			firstAdvice(v.Reasons)}}
	}
	return nil
}

// reach is about how far this node may be behind.
func reach(v View) []Problem {
	switch {
	case !v.Ready:
		return nil // said by readiness
	case cluster.Has(v.Reasons, cluster.ReasonNoMajority):
		return nil // said by that reason
	case !v.Staleness.Known:
		why := "it has synchronised with no peer."
		if len(v.Members) > 0 {
			why = "not every member that counts has answered it since it was started."
		}
		return []Problem{{"staleness-unknown", Critical, "How far this node may be behind is unknown: " + why,
			"A log-out on another node may not be known here.",
			"Start the others, or let this node reach them: check gossip.join, nats.url, the cluster key and the firewall. A single node is configured without gossip and NATS."}}
	case v.Staleness.Bound > StaleAfter:
		return []Problem{{"stale", Critical, fmt.Sprintf("This node may be %s behind.", round(v.Staleness.Bound)),
			"Log-outs that others accepted within that time may not be known here. Under checks.on-stale: reject, checks get 503 beyond checks.max-staleness.",
			"See which members are silent below. As soon as they are heard again, this node catches up by itself."}}
	}
	return nil
}

// crowd is about how many members there may be.
func crowd(v View) []Problem {
	there := 0
	for _, m := range v.Members {
		if m.State != cluster.MemberLeft {
			there++
		}
	}
	if v.Room == 0 || there*5 < v.Room*4 {
		return nil
	}
	return []Problem{{"members-many", Warning, fmt.Sprintf("There are %d other members, and room for %d.", there, v.Room),
		"A node that comes when there is no room left is told so and does not become ready.",
		"Stop members that are not needed; those that left have freed their places."}}
}

// members is about each of the others.
func members(v View) (found []Problem) {
	names := map[string]int{}
	more := 0
	for _, m := range v.Members {
		if m.State != cluster.MemberLeft {
			names[m.Name]++
		}
		p, wrong := memberProblem(v, m)
		if !wrong {
			continue
		}
		if len(found) == maxMembers {
			more++
			continue
		}
		found = append(found, p)
	}
	if more > 0 {
		found = append(found, Problem{"members-more", Warning, fmt.Sprintf("So it is with %d more members.", more), "As above.", "See the table of members."})
	}
	for name, n := range names {
		if n > 1 {
			found = append(found, Problem{"members-same-name", Warning, fmt.Sprintf("%d members are called %s.", n, name),
				"Either two nodes have one name, or one came back with an empty data folder and its old identity still counts. Until that is forgotten, ack=all waits for it, and staleness grows.",
				"Give each node a node.name and a data folder of its own; all keep one cluster.name. An old identity is forgotten after cluster.forget-after."})
		}
	}
	return found
}

func memberProblem(v View, m cluster.Member) (Problem, bool) {
	switch {
	case m.State == cluster.MemberSilent:
		what := fmt.Sprintf("%s has not been heard for %s.", m.Name, round(m.LastHeard))
		if m.Unacked > 0 {
			what += fmt.Sprintf(" It lacks %d revocations of this node, as far as known.", m.Unacked)
		}
		if v.Quorum != nil {
			return Problem{"member-silent", Warning, what,
				"The other members go on as long as they are a majority. It counts for them again as soon as it is heard.",
				"Is its process up? Can these two reach each other (gossip over TCP and UDP, NATS)? If its machine is gone for good, start another one under its name, with an empty folder."}, true
		}
		return Problem{"member-silent", Warning, what,
			"If it runs behind a partition, log-outs on either side are not known on the other. It counts in staleness, majority and all, until cluster.forget-after.",
			"Is its process up? Can these two reach each other (gossip over TCP and UDP, NATS)? If it is gone for good it is forgotten by itself; at once, if cluster.forget-after is lowered, which takes no restart. When it is back, both sides catch up."}, true
	case m.State == cluster.MemberAlive && v.Ready && (!m.Known || m.Staleness > StaleAfter) && v.Uptime > StaleAfter:
		bound := "and has confirmed nothing yet"
		if m.Known {
			bound = "but has confirmed nothing of this node for " + round(m.Staleness)
		}
		return Problem{"member-one-way", Warning, fmt.Sprintf("%s is heard, %s.", m.Name, bound),
			"Messages seem to get through in one direction only, or it is too busy to answer. Revocations of this node may not arrive there.",
			"Look at this node from there (its own dashboard, or rescind status). Check the firewall in both directions, and its load."}, true
	}
	return Problem{}, false
}

// clocks is about members whose clock differs from this node's.
func clocks(v View) (found []Problem) {
	for _, m := range v.Members {
		off := m.ClockSkew.Abs() - m.ClockSkewError
		if m.State == cluster.MemberLeft || off < skewAfter || len(found) == maxMembers {
			continue
		}
		p := Problem{"clock-skew", Warning, fmt.Sprintf("The clock of %s is %s %s this node's.", m.Name, round(m.ClockSkew.Abs()), aheadOrBehind(m.ClockSkew)),
			fmt.Sprintf("Up to %s are allowed for. Log out everywhere compares the times of tokens with the time of the log-out.", round(rescind.MaxClockSkew)),
			"Set the clocks by NTP. The one that differs from most others is wrong."}
		if off >= rescind.MaxClockSkew {
			p.Severity = Critical
		}
		found = append(found, p)
	}
	return found
}

func aheadOrBehind(skew time.Duration) string {
	if skew < 0 {
		return "behind"
	}
	return "ahead of"
}

// limits is about room for revocations, in records and in bytes.
func limits(v View) (found []Problem) {
	for _, l := range []struct {
		name, what, setting string
		used, most          int
	}{
		{"limit", "%d revocations, and its limit is %d", "revocations.max", v.Total, v.Max},
		{"memory", "revocations in %d bytes, and its limit is %d", "memory.limit", v.Filter.Bytes, v.MaxBytes},
		{"store", "revocations in a stream of %d bytes, and the stream's limit is %d", "the stream's limit (nats stream edit --max-bytes) and store.max-bytes", int(v.Store.SharedBytes), int(v.Store.SharedLimit)},
	} {
		what := fmt.Sprintf(l.what, l.used, l.most)
		switch {
		case l.most <= 0:
		case l.used >= l.most:
			found = append(found, Problem{"full-" + l.name, Critical, "This node is full: it holds " + what + ".",
				"New log-outs are refused here by 503. Those in force stay; none is evicted.",
				"Raise " + l.setting + " if memory allows, on every node. Find out who revokes so much: the log names the endpoint of each. Room comes back with expiry."})
		case float64(l.used) >= nearLimit*float64(l.most):
			found = append(found, Problem{"near-" + l.name, Warning, fmt.Sprintf("This node holds %s: %.0f %%.", what, 100*float64(l.used)/float64(l.most)),
				"At the limit it refuses new log-outs.",
				"Raise " + l.setting + " if memory allows, on every node, and find out who revokes so much."})
		}
	}
	return found
}

// carriers is about the ways between nodes.
func carriers(v View) (found []Problem) {
	up := 0
	for _, c := range v.Carriers {
		if c.Connected {
			up++
		}
	}
	alive := 0
	for _, m := range v.Members {
		if m.State == cluster.MemberAlive {
			alive++
		}
	}
	for _, c := range v.Carriers {
		if c.Name == "gossip" && c.Connected && !c.Regional && c.Members < alive && v.Uptime > settled {
			found = append(found, Problem{"members-inconsistent", Notice, fmt.Sprintf("Members are heard that gossip does not reach: it reaches %d of %d.", c.Members, alive),
				"NATS alone connects them with this node. If that goes too, log-outs do not get through.",
				"Check gossip.join, gossip.advertise and the firewall between those and this node: UDP and TCP."})
		}
	}
	for _, c := range v.Carriers {
		found = append(found, halfPaths(c.Paths)...)
	}
	for _, c := range v.Carriers {
		if c.Name == "nats" && c.TooLarge > 0 && c.Largest > 0 {
			found = append(found, Problem{"nats-max-payload", Notice, fmt.Sprintf("The NATS server takes messages of at most %d bytes (max_payload); %d larger ones were not sent by it.", c.Largest, c.TooLarge),
				"Nothing is lost for good: they go by gossip, or in smaller parts. A newcomer takes longer to be brought up to date.",
				"Set max_payload: 1MB in the configuration of the NATS server, which is its default."})
		}
	}
	for _, c := range v.Carriers {
		lost := c.Dropped + c.Overrun
		switch {
		case c.Refusal != "":
			found = append(found, down("nats-login", up, "NATS and this node do not accept each other", lastError(c.Refusal),
				"Set right what is named there. The files that nats.* name are read again within seconds; names of files take a restart."))
		case !c.Connected && c.Name == "nats":
			found = append(found, down("carrier-down", up, "NATS can't be reached", lastError(c.LastError), "Check nats.url, the server and the credentials. The client goes on trying."))
		case !c.Connected && len(v.Members) > 0:
			found = append(found, down("carrier-down", up, c.Name+" reaches no other member", lastError(c.LastError), "Check gossip.join, gossip.bind, gossip.advertise and the firewall: UDP and TCP of that port, in both directions."))
		case lost > v.DroppedBefore[c.Name]:
			found = append(found, Problem{"carrier-losses", Notice, fmt.Sprintf("%s lost messages: %d in the last minutes.", c.Name, lost-v.DroppedBefore[c.Name]),
				"Nothing is lost for good: gaps are found and asked for again. Until then the window is longer.",
				"If it goes on: this machine, or its network, is overloaded. Look at its processor and at the rate of revocations."})
		}
	}
	return found
}

// halfPaths is about members to or from which a protocol does not get through.
func halfPaths(paths []carrier.Path) (found []Problem) {
	for _, p := range paths {
		if !p.Known || p.Whole() || len(found) == maxMembers {
			continue
		}
		severity := Warning
		if !p.UDPOut && !p.TCPOut || !p.UDPIn && !p.TCPIn {
			severity = Critical
		}
		found = append(found, Problem{"path-half", severity, fmt.Sprintf("Between this node and %s at %s does not get through: %s%s.",
			p.Name, p.Address, strings.Join(p.Missing(), ", "), lastError(p.Why)),
			"Where one of UDP and TCP gets through in a direction, it carries what the other would: slower, and in smaller parts. Where neither does, log-outs do not get through that way.",
			"Open the port of gossip.bind for UDP and TCP, in both directions between these two, in security groups, network policies and host firewalls."})
	}
	return found
}

func down(name string, up int, what, why, do string) Problem {
	p := Problem{name, Warning, what + why + ".", "The other carrier goes on alone; log-outs still reach everybody.", do}
	if up == 0 {
		p.Severity, p.Meaning = Critical, "No carrier works: log-outs on this node stay here, and others' do not arrive."
	}
	return p
}

// lastError puts what a carrier says on one line, and cuts it.
func lastError(text string) string {
	const most = 160
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "..."
	}
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

func words(list []string, none string) string {
	if len(list) == 0 {
		return none
	}
	return strings.Join(list, "; ")
}

// round makes a duration readable: two or three digits.
func round(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}
