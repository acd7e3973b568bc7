package dashboard

import (
	"fmt"
	"net/http"
	"time"

	"rescind"
	"rescind/cluster"
	"rescind/gossip/carrier"
	"rescind/httpapi/diagnosis"
)

// maxRows bounds tables, whose rows come from the network.
const maxRows = 200

// head is what every page has.
type head struct {
	Title, Node, Cluster, Version string
	Operator                      string // "" while nobody is signed in
	Links                         []Link
	Live                          string // path of the stream of fragments; "" if there is none
	Refresh                       bool   // without JavaScript, load again by itself
}

func (d *Dashboard) head(title, operator string) head {
	st := d.cfg.Node.Status()
	return head{Title: title, Node: st.Name, Cluster: st.Cluster, Version: d.cfg.Version, Operator: operator, Links: d.cfg.Links}
}

// overview is the first page, and the way in.
func (d *Dashboard) overview(w http.ResponseWriter, r *http.Request) {
	o, ok := d.sessions.find(sessionOf(r), time.Now(), true)
	if !ok {
		d.signInPage(w, http.StatusOK, "")
		return
	}
	h := d.head("Overview", o.Name)
	h.Live, h.Refresh = livePath, true
	write(w, http.StatusOK, "overview.html", struct {
		head
		state
	}{h, d.look(time.Now())})
}

func (d *Dashboard) signInPage(w http.ResponseWriter, status int, failure string) {
	write(w, status, "signin.html", struct {
		head
		Failure string
	}{d.head("Sign in", ""), failure})
}

// state is what the live part of the overview shows.
type state struct {
	Now      time.Time
	Ready    bool
	Draining bool
	Problems []diagnosis.Problem
	Tiles    []tile
	Map      clusterMap
	Members  []memberRow
	Scopes   []scopeRow
	Carriers []carrier.Status
	Events   []event

	Window, Distribution, Rates, Staleness chart
}

type tile struct{ Name, Value, Note string }

type memberRow struct {
	cluster.Member
	Class string
	Bar   float64 // of the staleness, of 100
}

type scopeRow struct {
	Scope, Class string
	Held         int
	Rate         string // a second, of the last minute
}

// look gathers the state of this moment.
func (d *Dashboard) look(now time.Time) state {
	st := d.cfg.Node.Status()
	s := state{Now: now, Ready: st.Ready, Draining: d.cfg.Draining(), Problems: d.problems(st), Carriers: st.Carriers, Events: d.events.latest()}
	windows := d.history.bins(now, windowWidth, int(span/windowWidth))
	rates := d.history.bins(now, rateWidth, int(span/rateWidth))
	s.Window = windowChart(now, st.Window.Bounds, windows)
	s.Distribution = distributionChart(st.Window, sumWindows(windows, len(st.Window.Counts)))
	s.Rates = rateChart(now, rates)
	s.Staleness = stalenessChart(now, rates, st)
	bad := map[string]bool{}
	for _, m := range st.Members[:min(len(st.Members), maxRows)] {
		row := rowOf(m)
		bad[m.Origin] = row.Class == "one-way"
		s.Members = append(s.Members, row)
	}
	s.Map = newMap(st, bad)
	for _, scope := range rescind.Scopes() {
		s.Scopes = append(s.Scopes, scopeRow{scope.String(), classOf(scope), st.Revocations[scope], lastMinute(rates, scope)})
	}
	s.Tiles = tiles(st)
	return s
}

// lastMinute returns the rate of one scope over the last full minute of bins.
func lastMinute(rates []bin, scope rescind.Scope) string {
	n := uint64(0)
	count := int(time.Minute / rateWidth)
	for _, b := range rates[max(0, len(rates)-1-count) : len(rates)-1] {
		n += b.inForce[scope]
	}
	return showNumber(float64(n) / 60)
}

func rowOf(m cluster.Member) memberRow {
	row := memberRow{Member: m, Class: string(m.State)}
	switch {
	case m.State == cluster.MemberAlive && (!m.Known || m.Staleness > diagnosis.StaleAfter):
		row.Class = "one-way"
	}
	if m.Known {
		row.Bar = durations(0, 100).at(m.Staleness.Seconds())
	}
	return row
}

func tiles(st cluster.Status) []tile {
	note := "it has synchronised with no peer"
	if len(st.Members) > 0 {
		note = "not every member that counts has answered this node"
	}
	if st.Staleness.Known {
		note = "what others acknowledged before is known here"
	}
	limit := "no limit"
	if st.Max > 0 {
		limit = fmt.Sprintf("%.1f %% of the limit of %s", 100*float64(st.Total)/float64(st.Max), showCount(st.Max))
	}
	perRecord := ""
	if st.Total > 0 {
		perRecord = fmt.Sprintf("%.0f bytes a revocation", float64(st.Filter.Bytes)/float64(st.Total))
	}
	batch := ""
	if st.Counters.Commits > 0 {
		batch = fmt.Sprintf("%.1f revocations in each, all synced", float64(st.Counters.Revoked+st.Counters.Applied)/float64(st.Counters.Commits))
	}
	return []tile{
		{"May be behind by", showStaleness(st.Staleness.Bound, st.Staleness.Known), note},
		{"Live revocations", showCount(st.Total), limit},
		{"Filter fill", fmt.Sprintf("%.1f %%", 100*st.Filter.Fill), showCount(st.Filter.FalsePositives) + " false positives, each put right by the exact table"},
		{"Memory of the set", showBytes(st.Filter.Bytes), perRecord},
		{"Commits to disk", showCount(st.Counters.Commits), batch},
		{"Accepted here", showCount(st.Counters.Revoked), showCount(st.Counters.Applied) + " came from other nodes"},
		{"Repairs", showCount(st.Counters.Repairs), fmt.Sprintf("gaps asked for; comparisons: %d equal, %d different, %d unanswered", st.Comparisons.Equal, st.Comparisons.Different, st.Comparisons.Unanswered)},
		{"Up for", showDuration(st.Uptime), "origin " + st.Origin + ", epoch " + fmt.Sprint(st.Epoch)},
	}
}
