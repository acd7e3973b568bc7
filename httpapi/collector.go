package httpapi

import (
	"math"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"rescind"
	"rescind/cluster"
)

// statusCollector makes metrics of a node's status at the moment of a scrape,
// so that no number is kept twice and none goes stale.
type statusCollector struct {
	node     Node
	draining func() bool
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("rescind_"+name, help, labels, nil)
}

var (
	descReady   = desc("ready", "1 if the node answers checks and takes no part in a shutdown.")
	descMembers = desc("members", "Other nodes of the cluster by what this one believes of them.", "state")
	descBound   = desc("staleness_bound_seconds", "Every revocation that a majority of the named members acknowledged longer ago than this is known here, in a cluster without a list every one that a listed member did; +Inf if no bound can be stated.")
	descNeeded  = desc("members_needed", "Named members that make a majority.")
	descReached = desc("members_reached", "Named members that count and have answered lately, this one included.")
	descHeld    = desc("revocations", "Live revocations.", "scope")
	descLimit   = desc("revocations_limit", "The number of live revocations at which the node refuses new ones.")
	descMemory  = desc("revocations_bytes", "Memory of the live revocations: Bloom filter and exact tables.")
	descFill    = desc("filter_fill_ratio", "Share of the Bloom filter's bits that are set.")
	descFalse   = desc("filter_false_positives_total", "Identifiers of which the Bloom filter said maybe and the exact table no.")
	descNode    = desc("node_info", "Always 1; the labels say which node this is.", "cluster", "node")

	descApplied   = desc("records_applied_total", "Records from other nodes that changed the local set.")
	descRepairs   = desc("repairs_total", "Ranges asked for because of a gap.")
	descState     = desc("state_requests_total", "Chunks of full state asked for.")
	descSwept     = desc("records_swept_total", "Records forgotten after their expiry.")
	descRefused   = desc("messages_refused_total", "Messages refused: foreign, so not sealed with this cluster's key, or of another cluster or version; unsigned, so not signed by whom they say they are from; acknowledgement, in the name of a member that has not made it; number and epoch, beyond what the member can have reached, or contradicted by it; newcomers, more members than one may tell of.", "reason")
	descMalformed = desc("messages_malformed_total", "Sealed messages that could not be understood.")
	descDropped   = desc("messages_dropped_total", "Messages that came faster than they could be taken.")
	descCommits   = desc("store_commits_total", "Synced writes to the store.")

	descHealed       = desc("healed_total", "Records that were missing here and that only a comparison with another node found.")
	descUnsound      = desc("unsound_total", "Parts of the set in memory that were not what had been put there.")
	descOtherVersion = desc("messages_other_version_total", "Messages of nodes that speak another version of the protocol.")
	descDuplicates   = desc("messages_duplicate_total", "Messages that a second transport brought as well; that is how it should be.")
	descReplayed     = desc("messages_replayed_total", "Messages that came before by the same transport, or too late to tell: recorded and sent again, or doubled by the network.")
	descUnanswered   = desc("requests_unanswered_total", "Requests of other nodes that were not answered: undated, because they may have been recorded, or deferred, because their sender had made this node send as much as it may.", "reason")
	descTurnedAway   = desc("members_turned_away_total", "Messages of nodes for which there was no room among the members.")
	descReadsDropped = desc("reads_dropped_total", "Requests of other nodes to read the set that found no room.")
	descCompared     = desc("comparisons_total", "Comparisons with another node that this one began, by how they ended.", "outcome")
	descCompareBytes = desc("comparison_bytes_total", "Bytes sent for comparisons, before the seal.")

	descWaits        = desc("version_waits_total", "Checks that had to wait for the version of a revocation.")
	descWaitTimeouts = desc("version_wait_timeouts_total", "Those of them that ended before the version was here.")
	descWaitsRefused = desc("version_waits_refused_total", "Checks with a version that were refused because too many waited.")
	descConsumed     = desc("tokens_consumed_total", "One-time tokens used here.")
	descDoubleUses   = desc("tokens_double_uses_total", "One-time tokens used here although another node had accepted them earlier.")
	descTooStale     = desc("staleness_bounds_missed_total", "Checks with a staleness bound of the route or the request that this node could not meet.")
)

// Describe implements prometheus.Collector.
func (c *statusCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descReady, descMembers, descBound, descNeeded, descReached, descHeld, descLimit, descMemory, descFill, descFalse, descNode,
		descApplied, descRepairs, descState, descSwept, descRefused, descMalformed, descDropped, descCommits,
		descHealed, descUnsound, descOtherVersion, descDuplicates, descReplayed, descUnanswered, descTurnedAway, descReadsDropped, descCompared, descCompareBytes,
		descWaits, descWaitTimeouts, descWaitsRefused, descTooStale,
		descConsumed, descDoubleUses,
	} {
		ch <- d
	}
	describeCarriers(ch)
	describePeers(ch)
	describeNode(ch)
}

// Collect implements prometheus.Collector.
func (c *statusCollector) Collect(ch chan<- prometheus.Metric) {
	st := c.node.Status()
	gauge(ch, descReady, boolGauge(st.Ready && !c.draining()))
	gauge(ch, descNode, 1, labelValue(st.Cluster), labelValue(st.Name))
	gauge(ch, descBound, staleness(st.Staleness.Bound, st.Staleness.Known))
	if q := st.Quorum; q != nil {
		gauge(ch, descNeeded, float64(q.Need))
		gauge(ch, descReached, float64(q.Reached))
	}
	gauge(ch, descLimit, float64(st.Max))
	gauge(ch, descMemory, float64(st.Filter.Bytes))
	gauge(ch, descFill, st.Filter.Fill)
	counter(ch, descFalse, st.Filter.FalsePositives)
	for _, scope := range rescind.Scopes() {
		gauge(ch, descHeld, float64(st.Revocations[scope]), scope.String())
	}
	collectMembers(ch, st.Members)
	collectCounters(ch, st.Counters)
	counter(ch, descCompared, st.Comparisons.Equal, "equal")
	counter(ch, descCompared, st.Comparisons.Different, "different")
	counter(ch, descCompared, st.Comparisons.Unanswered, "unanswered")
	collectNode(ch, st)
	collectCarriers(ch, st)
}

func gauge(ch chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func counter(ch chan<- prometheus.Metric, d *prometheus.Desc, v uint64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

func boolGauge(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// staleness is +Inf where it is unknown: a missing series or a 0 would keep
// every alert on a threshold silent in just the case it is meant for.
func staleness(d time.Duration, known bool) float64 {
	if !known {
		return math.Inf(1)
	}
	return d.Seconds()
}

func collectCounters(ch chan<- prometheus.Metric, n cluster.Counters) {
	counter(ch, descApplied, n.Applied)
	counter(ch, descRepairs, n.Repairs)
	counter(ch, descState, n.StateRequests)
	counter(ch, descSwept, n.Swept)
	counter(ch, descRefused, n.Refused, "foreign")
	counter(ch, descRefused, n.Unsigned, "unsigned")
	counter(ch, descRefused, n.ForgedAcks, "acknowledgement")
	counter(ch, descRefused, n.Epochs, "epoch")
	counter(ch, descRefused, n.Numbers, "number")
	counter(ch, descRefused, n.Newcomers, "newcomers")
	counter(ch, descMalformed, n.Malformed)
	counter(ch, descDropped, n.Dropped)
	counter(ch, descCommits, n.Commits)
	counter(ch, descHealed, n.Healed)
	counter(ch, descUnsound, n.Unsound)
	counter(ch, descOtherVersion, n.OtherVersion)
	counter(ch, descDuplicates, n.Duplicates)
	counter(ch, descReplayed, n.Replayed)
	counter(ch, descUnanswered, n.Undated, "undated")
	counter(ch, descUnanswered, n.Deferred, "deferred")
	counter(ch, descTurnedAway, n.TurnedAway)
	counter(ch, descReadsDropped, n.ReadsDropped)
	counter(ch, descCompareBytes, n.CompareBytes)
	counter(ch, descWaits, n.Waits)
	counter(ch, descWaitTimeouts, n.WaitTimeouts)
	counter(ch, descWaitsRefused, n.WaitsRefused)
	counter(ch, descTooStale, n.TooStale)
	counter(ch, descConsumed, n.Consumed)
	counter(ch, descDoubleUses, n.DoubleUses)
}

// maxLabel bounds a label's value in bytes.
const maxLabel = 64

// labelValue makes a name that came from elsewhere fit for a label.
func labelValue(s string) string {
	if len(s) > maxLabel {
		s = s[:maxLabel]
	}
	return strings.ToValidUTF8(s, "?")
}
