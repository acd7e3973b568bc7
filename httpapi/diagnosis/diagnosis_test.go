package diagnosis

import (
	"slices"
	"strings"
	"testing"
	"time"

	"rescind"
	"rescind/cluster"
	"rescind/gossip/carrier"
)

// healthy is a node of three, with nothing wrong.
func healthy() View {
	return View{Status: cluster.Status{
		Name: "a", Ready: true, Uptime: time.Hour, Staleness: cluster.Staleness{Known: true, Bound: 300 * time.Millisecond},
		Total: 10, Max: 1000,
		Members: []cluster.Member{
			{Name: "b", State: cluster.MemberAlive, Known: true, Staleness: 200 * time.Millisecond},
			{Name: "c", State: cluster.MemberAlive, Known: true, Staleness: 300 * time.Millisecond, ClockSkew: 20 * time.Millisecond, ClockSkewError: time.Millisecond},
			{Name: "b", State: cluster.MemberLeft},
		},
		Carriers: []carrier.Status{{Name: "gossip", Connected: true, Members: 2}, {Name: "nats", Connected: true}},
		Counters: cluster.Counters{Revoked: 5, Applied: 5, Commits: 4, Refused: 3, Healed: 2, DoubleUses: 1, Dropped: 9},
	}, Before: cluster.Counters{Refused: 3, Healed: 2, DoubleUses: 1, Dropped: 9}}
}

func TestProblems(t *testing.T) {
	silent := func(v *View) {
		v.Members[1].State, v.Members[1].LastHeard, v.Members[1].Unacked = cluster.MemberSilent, 12*time.Second, 4
	}
	for name, c := range map[string]struct {
		change func(*View)
		want   string // names and severities, the worst first
		says   string // in one of the texts
	}{
		"nothing":   {func(*View) {}, "", ""},
		"draining":  {func(v *View) { v.Draining = true }, "draining notice", "told to stop"},
		"not ready": {func(v *View) { v.Ready, v.Reasons = false, says(cluster.ReasonLooking, "looking for a peer") }, "not-ready critical", "not ready: looking for a peer."},
		"no peer": {func(v *View) {
			v.Members = nil
			v.Staleness, v.Reasons = cluster.Staleness{}, says(cluster.ReasonNoPeer, "no peer reached; this and that")
		}, "staleness-unknown critical", "no peer"},
		"a silent peer": {func(v *View) {
			v.Staleness, v.Reasons = cluster.Staleness{}, says(cluster.ReasonNoPeer, "no peer reached; this and that")
		}, "staleness-unknown critical", "not every member"},
		"stale":                  {func(v *View) { v.Staleness.Bound = 61 * time.Second }, "stale critical", "1m1s behind"},
		"silent":                 {silent, "member-silent warning", "c has not been heard for 12s. It lacks 4 revocations"},
		"silent and stale":       {func(v *View) { silent(v); v.Staleness.Bound = time.Minute }, "stale critical, member-silent warning", ""},
		"one way":                {func(v *View) { v.Members[0].Staleness = 20 * time.Second }, "member-one-way warning", "b is heard, but has confirmed nothing of this node for 20s"},
		"one way from the start": {func(v *View) { v.Members[0].Known = false }, "member-one-way warning", "b is heard, and has confirmed nothing yet"},
		"just started":           {func(v *View) { v.Members[0].Known, v.Uptime = false, time.Second }, "", ""},
		"same name":              {func(v *View) { v.Members[0].Name = "c" }, "members-same-name warning", "Give each node a node.name and a data folder of its own; all keep one cluster.name"},
		"clock of another":       {func(v *View) { v.Members[1].ClockSkew = -4 * time.Second }, "clock-skew warning", "c is 4s behind this"},
		"clock far off":          {func(v *View) { v.Members[1].ClockSkew = time.Minute }, "clock-skew critical", "c is 1m0s ahead of this"},
		"own clock off":          {func(v *View) { v.Reasons = says(cluster.ReasonClockOff, "this machine's watch is 40s off") }, "clock-off critical", "takes no revocations"},
		"another version":        {func(v *View) { v.Reasons = says(cluster.ReasonOtherVersion, "a node that speaks another tongue") }, "other-version critical", "Finish the upgrade"},
		"something else":         {func(v *View) { v.Reasons = says("", "a new reason") }, "reason warning", "says: a new reason."},
		"a full stream": {func(v *View) {
			v.Reasons = says(cluster.ReasonStoreFull, "revocations are not acknowledged: the stream is full")
		}, "store-full critical", "nats stream edit --max-bytes"},
		"a stream that lost something": {func(v *View) { v.Reasons = says(cluster.ReasonStoreLost, "it is older") }, "store-lost critical", "Do not stop the nodes"},
		"a stream without an answer": {func(v *View) {
			v.Ready, v.Reasons = false, says(cluster.ReasonStoreAway, "waiting for the stream of revocations")
		}, "not-ready critical", "majority of the stream's replicas"},
		"near the limit":           {func(v *View) { v.Total = 800 }, "near-limit warning", "and its limit is 1000: 80 %"},
		"full":                     {func(v *View) { v.Total = 1000 }, "full-limit critical", "refused here by 503"},
		"a stream near its limit":  {func(v *View) { v.Store.SharedBytes, v.Store.SharedLimit = 85, 100 }, "near-store warning", "nats stream edit"},
		"no limit":                 {func(v *View) { v.Max = 0 }, "", ""},
		"near the limit of memory": {func(v *View) { v.Filter.Bytes, v.MaxBytes = 90, 100 }, "near-memory warning", "memory.limit"},
		"out of memory":            {func(v *View) { v.Filter.Bytes, v.MaxBytes = 101, 100 }, "full-memory critical", "in 101 bytes"},
		"gossip misses some":       {func(v *View) { v.Carriers[0].Members = 1 }, "members-inconsistent notice", "it reaches 1 of 2"},
		"gossip within a region":   {func(v *View) { v.Carriers[0].Members, v.Carriers[0].Regional = 1, true }, "", ""},
		"NATS refuses the login": {func(v *View) {
			v.Carriers[1].Connected, v.Carriers[1].Refusal = false, "the NATS server refuses the credentials in nats.user and nats.password-file"
		}, "nats-login warning", "nats.password-file"},
		"NATS down": {func(v *View) { v.Carriers[1].Connected, v.Carriers[1].LastError = false, "no route" }, "carrier-down warning", "NATS can't be reached (no route)"},
		"a long error": {func(v *View) {
			v.Carriers[1].Connected, v.Carriers[1].LastError = false, "one\n\t* two "+strings.Repeat("x", 300)
		}, "carrier-down warning", "NATS can't be reached (one * two " + strings.Repeat("x", 150) + "...)"},
		"gossip down":             {func(v *View) { v.Carriers[0].Connected = false }, "carrier-down warning", "gossip reaches no other member"},
		"both down":               {func(v *View) { v.Carriers[0].Connected, v.Carriers[1].Connected = false, false }, "carrier-down critical, carrier-down critical", "No carrier works"},
		"alone so far":            {func(v *View) { v.Members, v.Carriers[0].Connected = nil, false }, "", ""},
		"losses":                  {func(v *View) { v.Carriers[0].Overrun = 7 }, "carrier-losses notice", "gossip lost messages: 7"},
		"losses of long ago":      {func(v *View) { v.Carriers[0].Dropped, v.DroppedBefore = 7, map[string]uint64{"gossip": 7} }, "", ""},
		"wrong key":               {func(v *View) { v.Counters.Refused++ }, "foreign-messages warning", "not sealed with this cluster's key, or are of another cluster: 1 in the last"},
		"memory":                  {func(v *View) { v.Counters.Unsound = 1 }, "unsound critical", "test its memory"},
		"healed":                  {func(v *View) { v.Counters.Healed += 2 }, "healed notice", "another node: 2 in the last minutes."},
		"malformed":               {func(v *View) { v.Counters.Malformed = 1 }, "malformed warning", ""},
		"too stale for a route":   {func(v *View) { v.Counters.TooStale = 1 }, "too-stale warning", ""},
		"waits":                   {func(v *View) { v.Counters.WaitTimeouts = 1 }, "version-waits warning", ""},
		"waits refused":           {func(v *View) { v.Counters.WaitsRefused = 1 }, "version-waits-refused warning", ""},
		"overrun":                 {func(v *View) { v.Counters.Dropped++ }, "messages-dropped notice", ""},
		"reads":                   {func(v *View) { v.Counters.ReadsDropped = 1 }, "reads-dropped notice", ""},
		"double use":              {func(v *View) { v.Counters.DoubleUses++ }, "double-use critical", "accepted them: 1 in"},
		"undecided":               {func(v *View) { v.Counters.ConsumeUndecided = 3 }, "undecided critical", "decided: 3 in"},
		"counters of a last life": {func(v *View) { v.Counters = cluster.Counters{} }, "", ""},
		"more members than are listed": {func(v *View) {
			v.Members = nil
			for range maxMembers + 3 {
				v.Members = append(v.Members, cluster.Member{Name: strings.Repeat("x", len(v.Members)+1), State: cluster.MemberSilent})
			}
		}, strings.Repeat("member-silent warning, ", maxMembers) + "members-more warning", "3 more members"},
	} {
		t.Run(name, func(t *testing.T) {
			v := healthy()
			c.change(&v)
			var names, texts []string
			for _, p := range Problems(v) {
				names = append(names, p.Name+" "+p.Severity.String())
				texts = append(texts, p.What, p.Meaning, p.Do)
				if p.What == "" || p.Meaning == "" || p.Do == "" {
					t.Errorf("%+v leaves something open", p)
				}
			}
			if got := strings.Join(names, ", "); got != c.want {
				t.Errorf("got %q; want %q", got, c.want)
			}
			if !slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, c.says) }) && c.want != "" {
				t.Errorf("nothing says %q: %q", c.says, texts)
			}
			if all := strings.Join(texts, " "); strings.Contains(all, "%!") || strings.Contains(all, "%d") {
				t.Errorf("a verb is left: %s", all)
			}
		})
	}
}

func says(kind cluster.ReasonKind, text string) []cluster.Reason {
	return []cluster.Reason{{Kind: kind, Text: text}}
}

// TestEachReasonHasAdvice: by its kind, so that its words may change.
func TestEachReasonHasAdvice(t *testing.T) {
	for _, kind := range cluster.ReasonKinds() {
		a, ok := known[kind]
		if !ok || !a.said && (a.severity == 0 || a.meaning == "" || a.do == "") {
			t.Errorf("%s: %+v", kind, a)
		}
		v := healthy()
		v.Reasons = says(kind, "words")
		if found := Problems(v); !a.said && (len(found) != 1 || found[0].Name != string(kind) || found[0].Severity != a.severity) {
			t.Errorf("%s: %+v", kind, found)
		}
	}
	if len(known) != len(cluster.ReasonKinds()) {
		t.Errorf("advice about %d kinds; there are %d", len(known), len(cluster.ReasonKinds()))
	}
}

// TestSkewWithinItsErrorIsNone: a measurement says nothing below its own error.
func TestSkewWithinItsErrorIsNone(t *testing.T) {
	v := healthy()
	v.Members[0].ClockSkew, v.Members[0].ClockSkewError = rescind.MaxClockSkew, rescind.MaxClockSkew
	if found := Problems(v); len(found) > 0 {
		t.Errorf("%+v", found)
	}
}
