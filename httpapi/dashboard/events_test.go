package dashboard

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rescind"
	"rescind/cluster"
	"rescind/gossip/carrier"
	"rescind/httpapi/diagnosis"
)

// TestABurstIsListedInPart: the first of a second, one line that there are
// more, and then nobody watches until the next second.
func TestABurstIsListedInPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNode()
		ctx, cancel := context.WithCancel(t.Context())
		var e events
		done := make(chan struct{})
		go func() { defer close(done); e.follow(ctx, n) }()
		<-n.watched
		at := time.Now()
		for i := range 200 {
			n.events <- cluster.Event{Kind: cluster.EventRevoked, At: at, Here: true, Record: rescind.Record{Digest: rescind.MakeDigest(rescind.ScopeSID, uint64(i+1), 1)}}
		}
		synctest.Wait()
		list := e.latest()
		if len(list) != burst+1 || list[0].Kind != "more" || list[1].Kind != "revoked" || list[1].What != "sid, accepted here" || len(list[1].Digest) != 32 {
			t.Errorf("%d lines, the latest %+v", len(list), list[0])
		}
		if len(n.watched) != 0 {
			t.Error("it watches again within the second")
		}
		<-n.watched // in the next
		cancel()
		<-done
	})
}

func TestEventsAreBounded(t *testing.T) {
	var e events
	for i := range keptEvents + 50 {
		e.add(event{What: fmt.Sprint(i)})
	}
	if list := e.latest(); len(list) != keptEvents || list[0].What != fmt.Sprint(keptEvents+49) {
		t.Errorf("%d, the latest %s", len(list), list[0].What)
	}
}

// TestWhatDiffersIsListed: each change once, and nothing of what was so before.
func TestWhatDiffersIsListed(t *testing.T) {
	var e events
	st := cluster.Status{Ready: true, Members: []cluster.Member{{Name: "b", Origin: "1", State: cluster.MemberAlive}}, Carriers: []carrier.Status{{Name: "nats", Connected: true}}}
	now := time.Unix(1_800_000_000, 0)
	e.compare(now, st, []diagnosis.Problem{{Name: "old", What: "an old problem"}})
	e.compare(now, st, []diagnosis.Problem{{Name: "old", What: "an old problem, older"}})
	if list := e.latest(); len(list) != 0 {
		t.Fatalf("nothing has changed, and it lists %+v", list)
	}
	next := cluster.Status{Members: []cluster.Member{{Name: "b", Origin: "1", State: cluster.MemberSilent}, {Name: "c", Origin: "2", State: cluster.MemberAlive}}, Carriers: []carrier.Status{{Name: "nats"}}}
	e.compare(now, next, []diagnosis.Problem{{Name: "new", What: "a new problem"}, {Name: "new", What: "another of the kind"}})
	e.compare(now, cluster.Status{Ready: true}, nil)
	var got []string
	for _, ev := range e.latest() {
		got = append([]string{ev.Kind + ": " + ev.What}, got...)
	}
	want := []string{
		"ready: this node is no longer ready", "member: b is silent", "member: c is alive", "carrier: nats is disconnected",
		"problem: a new problem", "solved: no longer: an old problem, older",
		"ready: this node is ready", "member: b is forgotten", "member: c is forgotten", "solved: no longer: a new problem",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
