package httpapi

import (
	"github.com/prometheus/client_golang/prometheus"

	"rescind"
	"rescind/cluster"
)

var (
	descWindow    = desc("propagation_seconds", "Time from a revocation's acceptance here until another node's acknowledgement arrived, on this node's clock.")
	descSeen      = desc("staleness_bound_observed_seconds", "The staleness bound, looked at every 100 ms while it was known.")
	descGaps      = desc("gap_seconds", "How long gaps in the streams of other nodes lasted.")
	descSync      = desc("store_sync_seconds", "Time of each sync of the store's log.")
	descDisk      = desc("store_bytes", "Size of the data folder.")
	descLog       = desc("store_log_bytes", "Size of the part of the store's log that is not in tables yet.")
	descShared    = desc("store_stream_bytes", "Size of the stream that the nodes share (store.kind: jetstream); absent without one.")
	descSharedMax = desc("store_stream_limit_bytes", "Size at which that stream refuses what is new; absent where it has no limit.")
	descLosses    = desc("store_stream_losses_total", "Times that the stream was found to lack what it had acknowledged.")
	descRewritten = desc("store_stream_rewritten_total", "Records that this node has written back into the stream.")
	descStrangers = desc("store_stream_strangers_total", "Messages in the stream that nobody of this cluster has written there, or that are damaged.")
	descSlow      = desc("store_slow_operations_total", "Operations on the disk that took longer than five seconds.")
	descCrowded   = desc("store_too_many_files_total", "How often the store could not open a file because the process had too many open, and waited.")
	descStoreBack = desc("store_background_errors_total", "Failures to write or merge the store's tables.")

	descQueue      = desc("queue_length", "What waits in a queue of the node.", "queue")
	descQueueLimit = desc("queue_limit", "How much fits a queue of the node.", "queue")
	descInbox      = desc("inbox_bytes", "Bytes of the messages of other nodes that wait in the queue inbox.")

	descRevoked    = desc("revocations_accepted_total", "Revocations accepted by this node, uses of one-time tokens among them.", "scope")
	descNotRevoked = desc("revocations_refused_total", "Revocations refused by this node.", "reason")
	descNotUsed    = desc("tokens_consume_refused_total", "Uses of one-time tokens refused here.", "reason")
)

func describeNode(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descWindow, descSeen, descGaps, descSync, descDisk, descLog, descShared, descSharedMax, descLosses, descRewritten, descStrangers, descSlow, descCrowded, descStoreBack,
		descQueue, descQueueLimit, descInbox, descRevoked, descNotRevoked, descNotUsed,
	} {
		ch <- d
	}
}

// collectNode makes metrics of what the node measures of itself.
func collectNode(ch chan<- prometheus.Metric, st cluster.Status) {
	histogram(ch, descWindow, st.Window)
	histogram(ch, descSeen, st.StalenessSeen)
	histogram(ch, descGaps, st.Gaps)
	histogram(ch, descSync, st.Store.Syncs)
	gauge(ch, descDisk, float64(st.Store.DiskBytes))
	gauge(ch, descLog, float64(st.Store.LogBytes))
	collectStream(ch, st.Store)
	counter(ch, descSlow, st.Store.SlowOperations)
	counter(ch, descCrowded, st.Store.Crowded)
	counter(ch, descStoreBack, st.Store.BackgroundErrors)
	for _, q := range st.Queues {
		gauge(ch, descQueue, float64(q.Length), q.Name)
		gauge(ch, descQueueLimit, float64(q.Limit), q.Name)
	}
	gauge(ch, descInbox, float64(st.InboxBytes))
	for _, scope := range rescind.Scopes() {
		counter(ch, descRevoked, st.Accepted[scope], scope.String())
	}
	counters(ch, descNotRevoked, st.Refused.Revocations)
	counters(ch, descNotUsed, st.Refused.Uses)
}

// collectStream makes metrics of the stream that nodes without disks share.
func collectStream(ch chan<- prometheus.Metric, s cluster.StoreStats) {
	if s.SharedBytes > 0 {
		gauge(ch, descShared, float64(s.SharedBytes))
	}
	if s.SharedLimit > 0 {
		gauge(ch, descSharedMax, float64(s.SharedLimit))
	}
	counter(ch, descLosses, s.Losses)
	counter(ch, descRewritten, s.Rewritten)
	counter(ch, descStrangers, s.Strangers)
}

// counters makes one series of each; the names are the node's own.
func counters(ch chan<- prometheus.Metric, d *prometheus.Desc, counts map[string]uint64) {
	for name, n := range counts {
		counter(ch, d, n, name)
	}
}

func histogram(ch chan<- prometheus.Metric, d *prometheus.Desc, h cluster.Histogram, labels ...string) {
	var total uint64
	buckets := make(map[float64]uint64, len(h.Bounds))
	for i, n := range h.Counts {
		total += n
		if i < len(h.Bounds) {
			buckets[h.Bounds[i].Seconds()] = total
		}
	}
	ch <- prometheus.MustNewConstHistogram(d, total, h.Sum.Seconds(), buckets, labels...)
}
