package httpapi

import (
	"net/http"

	"rescind"
	"rescind/cluster"
	"rescind/httpapi/diagnosis"
)

// clusterJSON is a [cluster.Status] as operators read it. Durations carry
// their unit in the name, and are null where nothing has been measured.
type clusterJSON struct {
	Cluster     string          `json:"cluster"`
	Name        string          `json:"name"`
	Origin      string          `json:"origin"`
	Epoch       uint64          `json:"epoch"`
	Version     string          `json:"version"`
	UptimeMS    float64         `json:"uptime_ms"`
	Ready       bool            `json:"ready"`
	Draining    bool            `json:"draining"`
	Reasons     []string        `json:"reasons"`
	Problems    []problemJSON   `json:"problems"`
	StalenessMS *float64        `json:"staleness_ms"`
	Members     []memberJSON    `json:"members"`
	Bound       string          `json:"bound"` // what the staleness is about: majority or listed
	Quorum      *quorumJSON     `json:"quorum"`
	Revocations revocationsJSON `json:"revocations"`
	Carriers    []carrierJSON   `json:"carriers"`
	Comparisons comparisonsJSON `json:"comparisons"`
	Counters    countersJSON    `json:"counters"`
	Window      windowJSON      `json:"window"`
	Settings    *settingsJSON   `json:"settings,omitempty"`
}

// problemJSON is something that is wrong right now, in words.
type problemJSON struct {
	Name     string `json:"name"`
	Severity string `json:"severity"` // notice, warning or critical; the worst come first
	What     string `json:"what"`
	Meaning  string `json:"meaning"`
	Do       string `json:"do"`
}

type memberJSON struct {
	Name        string   `json:"name"`
	Origin      string   `json:"origin"`
	Epoch       uint64   `json:"epoch"`
	State       string   `json:"state"`
	StalenessMS *float64 `json:"staleness_ms"`
	LastHeardMS float64  `json:"last_heard_ms"`
	Behind      uint64   `json:"behind"`
	Unacked     uint64   `json:"unacked"`

	// ClockSkewMS is by how much its clock is ahead of this node's, give or take
	// ClockErrorMS.
	ClockSkewMS  float64 `json:"clock_skew_ms"`
	ClockErrorMS float64 `json:"clock_error_ms"`
}

type revocationsJSON struct {
	Total    int            `json:"total"`
	Max      int            `json:"max"`
	Bytes    int            `json:"bytes"`
	MaxBytes int            `json:"max_bytes"` // 0: none
	ByScope  map[string]int `json:"by_scope"`
}

type countersJSON struct {
	Revoked       uint64 `json:"revoked"`
	Applied       uint64 `json:"applied"`
	Repairs       uint64 `json:"repairs"`
	StateRequests uint64 `json:"state_requests"`
	Swept         uint64 `json:"swept"`
	Refused       uint64 `json:"refused"`
	Malformed     uint64 `json:"malformed"`
	Dropped       uint64 `json:"dropped"`
	Commits       uint64 `json:"commits"`
	Waits         uint64 `json:"waits"`
	WaitTimeouts  uint64 `json:"wait_timeouts"`
	WaitsRefused  uint64 `json:"waits_refused"`
	TooStale      uint64 `json:"too_stale"`
	Healed        uint64 `json:"healed"`
	Unsound       uint64 `json:"unsound"`
	OtherVersion  uint64 `json:"other_version"`
	TurnedAway    uint64 `json:"turned_away"`
	ReadsDropped  uint64 `json:"reads_dropped"`
	CompareBytes  uint64 `json:"compare_bytes"`
}

// comparisonsJSON counts the comparisons that the node began.
type comparisonsJSON struct {
	Equal      uint64 `json:"equal"`
	Different  uint64 `json:"different"`
	Unanswered uint64 `json:"unanswered"`
}

// windowJSON is the propagation window of the revocations accepted here.
type windowJSON struct {
	Count   uint64       `json:"count"`
	SumMS   float64      `json:"sum_ms"`
	Buckets []bucketJSON `json:"buckets"`
}

type bucketJSON struct {
	UpToMS *float64 `json:"up_to_ms"` // null: no upper bound
	Count  uint64   `json:"count"`    // in this bucket alone
}

func (a *API) getCluster(w http.ResponseWriter, _ *http.Request) {
	st := a.cfg.Node.Status()
	writeJSON(w, http.StatusOK, clusterJSON{
		Cluster:     st.Cluster,
		Name:        st.Name,
		Origin:      st.Origin,
		Epoch:       st.Epoch,
		Version:     a.cfg.Version,
		Settings:    newSettings(a.cfg.Settings),
		UptimeMS:    millis(st.Uptime),
		Ready:       st.Ready && !a.draining.Load(),
		Draining:    a.draining.Load(),
		Reasons:     cluster.Words(st.Reasons),
		Problems:    problemsOf(a.dashboard.Problems()),
		StalenessMS: millisOrNull(st.Staleness.Bound, st.Staleness.Known),
		Bound:       string(st.Bound),
		Quorum:      newQuorum(st.Quorum),
		Members:     membersOf(st.Members),
		Revocations: revocationsJSON{Total: st.Total, Max: st.Max, Bytes: st.Filter.Bytes, MaxBytes: st.MaxBytes, ByScope: byScope(st.Revocations)},
		Carriers:    carriersOf(st),
		Comparisons: comparisonsJSON(st.Comparisons),
		Counters:    countersOf(st.Counters),
		Window:      windowOf(st.Window),
	})
}

func problemsOf(found []diagnosis.Problem) []problemJSON {
	out := make([]problemJSON, 0, len(found))
	for _, p := range found {
		out = append(out, problemJSON{p.Name, p.Severity.String(), p.What, p.Meaning, p.Do})
	}
	return out
}

func membersOf(members []cluster.Member) []memberJSON {
	out := make([]memberJSON, 0, len(members))
	for _, m := range members {
		out = append(out, memberJSON{
			Name:        m.Name,
			Origin:      m.Origin,
			Epoch:       m.Epoch,
			State:       string(m.State),
			StalenessMS: millisOrNull(m.Staleness, m.Known),
			LastHeardMS: millis(m.LastHeard),
			Behind:      m.Behind,
			Unacked:     m.Unacked,

			ClockSkewMS: millis(m.ClockSkew), ClockErrorMS: millis(m.ClockSkewError),
		})
	}
	return out
}

func countersOf(n cluster.Counters) countersJSON {
	return countersJSON{
		Revoked:       n.Revoked,
		Applied:       n.Applied,
		Repairs:       n.Repairs,
		StateRequests: n.StateRequests,
		Swept:         n.Swept,
		Refused:       n.Refused,
		Malformed:     n.Malformed,
		Dropped:       n.Dropped,
		Commits:       n.Commits,
		Waits:         n.Waits,
		WaitTimeouts:  n.WaitTimeouts,
		WaitsRefused:  n.WaitsRefused,
		TooStale:      n.TooStale,
		Healed:        n.Healed,
		Unsound:       n.Unsound,
		OtherVersion:  n.OtherVersion,
		TurnedAway:    n.TurnedAway,
		ReadsDropped:  n.ReadsDropped,
		CompareBytes:  n.CompareBytes,
	}
}

// byScope lists every scope, also those that hold nothing.
func byScope(counts map[rescind.Scope]int) map[string]int {
	out := make(map[string]int, rescind.NumScopes)
	for _, scope := range rescind.Scopes() {
		out[scope.String()] = counts[scope]
	}
	return out
}

func windowOf(h cluster.Histogram) windowJSON {
	out := windowJSON{SumMS: millis(h.Sum), Buckets: make([]bucketJSON, 0, len(h.Counts))}
	for i, n := range h.Counts {
		out.Count += n
		bucket := bucketJSON{Count: n}
		if i < len(h.Bounds) {
			bucket.UpToMS = millisOrNull(h.Bounds[i], true)
		}
		out.Buckets = append(out.Buckets, bucket)
	}
	return out
}
