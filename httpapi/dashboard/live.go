package dashboard

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

const (
	livePath = "/dashboard/live"

	// maxStreams bounds how many browsers are kept up to date.
	maxStreams = 32

	liveEvery = time.Second
	liveWrite = 10 * time.Second // how long a browser may take for one update
	livePing  = 15 * time.Second // keeps proxies from closing a silent stream
)

// fragments are the parts of the overview that change, by the template and the
// element that they fill.
var fragments = []string{
	"live-state", "live-problems", "live-tiles", "live-map", "live-members", "live-staleness", "live-window",
	"live-distribution", "live-rates", "live-scopes", "live-carriers", "live-events",
}

// rendered is what all streams are sent within one turn.
type rendered struct {
	at    time.Time
	parts []string // as in fragments
}

// render returns the fragments, made at most once in a turn.
func (d *Dashboard) render(now time.Time) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.rendered.parts != nil && now.Sub(d.rendered.at).Abs() < liveEvery/2 {
		return d.rendered.parts
	}
	s := d.look(now)
	parts := make([]string, len(fragments))
	for i, name := range fragments {
		var out bytes.Buffer
		if err := templates.ExecuteTemplate(&out, name, s); err != nil {
			panic(err) // every state that can be made can be shown
		}
		parts[i] = out.String()
	}
	d.rendered = rendered{now, parts}
	return parts
}

// live keeps the overview of one browser up to date.
func (d *Dashboard) live(w http.ResponseWriter, r *http.Request, _ Operator) {
	defer d.streams.Add(-1)
	if d.streams.Add(1) > maxStreams {
		w.Header().Set("Retry-After", "10")
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	s := stream{w: w, every: liveEvery, names: fragments, drained: d.cfg.Drained}
	s.run(r, func(now time.Time) ([]string, bool) {
		_, signedIn := d.sessions.find(sessionOf(r), now, false)
		if !signedIn {
			return nil, false
		}
		return d.render(now), true
	})
}

// stream sends fragments of a page as server-sent events: the element on the
// first line, and its content on the others.
type stream struct {
	w       http.ResponseWriter
	every   time.Duration
	names   []string
	drained context.Context // ends it
}

// run sends what has changed, until the browser goes, the node drains, or render
// says that this browser may see no more.
func (s stream) run(r *http.Request, render func(now time.Time) (parts []string, may bool)) {
	s.w.Header().Set("Content-Type", "text/event-stream")
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	sent, last := make([]string, len(s.names)), time.Now()
	for {
		now := time.Now()
		parts, may := render(now)
		if !may {
			s.send("event: end\ndata: \n\n")
			return
		}
		var out strings.Builder
		for i, part := range parts {
			if part != sent[i] {
				sent[i] = part
				out.WriteString(fragment(s.names[i], part))
			}
		}
		if out.Len() == 0 && now.Sub(last) >= livePing {
			out.WriteString(": ping\n\n")
		}
		if out.Len() > 0 {
			if last = now; !s.send(out.String()) {
				return
			}
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		case <-s.drained.Done():
			return
		}
	}
}

// fragment returns the event that fills the element called name.
func fragment(name, content string) string {
	return "event: fragment\ndata: " + name + "\ndata: " + dataLines.Replace(content) + "\n\n"
}

// dataLines begins a line at whatever ends one in an event stream: names may hold
// all of these.
var dataLines = strings.NewReplacer("\r\n", "\ndata: ", "\r", "\ndata: ", "\n", "\ndata: ")

// send reports whether the browser is still there. It moves the deadline of the
// server, which is meant for answers that end.
func (s stream) send(text string) bool {
	control := http.NewResponseController(s.w)
	if err := control.SetWriteDeadline(time.Now().Add(liveWrite)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return false
	}
	_, err := s.w.Write([]byte(text))
	return err == nil && control.Flush() == nil
}
