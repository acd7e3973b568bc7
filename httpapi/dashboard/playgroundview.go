package dashboard

import (
	"net/http"
	"time"

	"rescind/token"
)

// playgroundView is the page of a playground.
type playgroundView struct {
	head
	Failure  string
	Browsers []browserView
	Nodes    []string
}

type browserView struct {
	Index  int
	Name   string
	Node   int
	Nodes  []string
	Visits []visitView
}

type visitView struct {
	ID           int
	User, Device string
	Refreshed    int
	Answers      []answerView
	Over         bool   // every node refuses it
	All          string // after how long every node did; "" if unknown
}

type answerView struct {
	Node, Class, Answer, After string
}

func (p *Playground) show(w http.ResponseWriter, status int, failure error) {
	view := p.look()
	view.head = head{Title: "Playground", Node: "rescind dev", Live: PlaygroundPath + "/live", Links: []Link{{"/", "Overview of this node"}}}
	if failure != nil {
		view.Failure = failure.Error()
		view.Live = "" // what was said stays
	}
	write(w, status, "playground.html", view)
}

// look asks every node about every token, as a request would.
func (p *Playground) look() playgroundView {
	p.mu.Lock()
	defer p.mu.Unlock()
	view := playgroundView{}
	for _, n := range p.nodes {
		view.Nodes = append(view.Nodes, n.Name)
	}
	for i, b := range p.browsers {
		shown := browserView{Index: i, Name: b.name, Node: b.node, Nodes: view.Nodes}
		for _, v := range b.visits {
			shown.Visits = append(shown.Visits, p.visitLocked(v))
		}
		view.Browsers = append(view.Browsers, shown)
	}
	return view
}

func (p *Playground) visitLocked(v *visit) visitView {
	shown := visitView{ID: v.id, User: v.user, Device: v.device, Refreshed: v.refreshed, Over: true}
	slowest := time.Duration(0)
	for i, n := range p.nodes {
		a := answerView{Node: n.Name, Class: "alive", Answer: "200"}
		if _, err := n.Verifier.Verify(v.pair.AccessToken); err != nil {
			a.Class, a.Answer = "silent", http.StatusText(token.Status(err))
			if token.Status(err) == http.StatusUnauthorized {
				a.Answer = "401"
			}
		} else {
			shown.Over = false
		}
		if r := v.refused[i]; r.done && r.after >= 0 {
			a.After = showDuration(r.after)
			slowest = max(slowest, r.after)
		}
		shown.Answers = append(shown.Answers, a)
	}
	if shown.Over && slowest > 0 {
		shown.All = showDuration(slowest)
	}
	return shown
}
