package faults

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// revocation is one call. Times are on the client's clock since its start.
type revocation struct {
	id     string
	node   int
	called time.Duration
	acked  time.Duration // when the answer came; 0: it was not acknowledged, and its fate is unknown
}

// check is one answer about a token.
type check struct {
	id         string
	node       int
	life       int           // of the node: how often it was started; 0: it was restarted meanwhile
	asked      time.Duration // when the request left
	answered   time.Duration
	status     int           // 0: no answer
	atMost     time.Duration // the staleness asked for: with 200 the node vouches for it
	afterwards bool          // asked when everything was healed
}

// history is what a client has seen.
type history struct {
	revocations []revocation
	checks      []check
}

// judge returns what breaks a promise.
func (h *history) judge() []string {
	called, acked := h.times()
	var wrong []string
	refused := map[string]time.Duration{} // by token, node and life: when it was first refused
	for _, c := range h.checks {
		at, life := acked[c.id], fmt.Sprint(c.id, "|", c.node, "|", c.life)
		_, everCalled := called[c.id]
		switch c.status {
		case http.StatusUnauthorized:
			if since, ok := called[c.id]; !ok || c.answered < since {
				wrong = append(wrong, fmt.Sprintf("node %d refused %s at %v, which nobody had revoked", c.node, c.id, c.answered))
			}
			if first, ok := refused[life]; c.life != 0 && (!ok || c.answered < first) {
				refused[life] = c.answered
			}
		case http.StatusOK:
			switch {
			case at != 0 && c.afterwards:
				wrong = append(wrong, fmt.Sprintf("node %d accepts %s after healing, acknowledged at %v: it is lost", c.node, c.id, at))
			case at != 0 && at < c.asked-c.atMost:
				wrong = append(wrong, fmt.Sprintf("node %d accepted %s at %v and vouched for %v, but it had been acknowledged at %v", c.node, c.id, c.asked, c.atMost, at))
			}
		default:
			if c.afterwards && (at != 0 || !everCalled) {
				wrong = append(wrong, fmt.Sprintf("node %d answers %d for %s after healing", c.node, c.status, c.id))
			}
		}
	}
	for _, c := range h.checks {
		if first, ok := refused[fmt.Sprint(c.id, "|", c.node, "|", c.life)]; ok && c.status == http.StatusOK && c.asked > first {
			wrong = append(wrong, fmt.Sprintf("node %d refused %s at %v and accepted it at %v", c.node, c.id, first, c.asked))
		}
	}
	slices.Sort(wrong)
	return wrong
}

// times returns when each token's revocation was first called and first
// acknowledged.
func (h *history) times() (called, acked map[string]time.Duration) {
	called, acked = map[string]time.Duration{}, map[string]time.Duration{}
	for _, r := range h.revocations {
		if at, ok := called[r.id]; !ok || r.called < at {
			called[r.id] = r.called
		}
		if at, ok := acked[r.id]; r.acked != 0 && (!ok || r.acked < at) {
			acked[r.id] = r.acked
		}
	}
	return called, acked
}

func (h *history) String() string {
	counts := map[int]int{}
	for _, c := range h.checks {
		counts[c.status]++
	}
	_, acked := h.times()
	return fmt.Sprintf("%d revocations called, %d acknowledged; %d checks: %d valid, %d refused, %d cannot know, %d unanswered",
		len(h.revocations), len(acked), len(h.checks), counts[200], counts[401], counts[503], counts[0])
}
