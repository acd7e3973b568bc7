package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"rescind/cluster"
)

const (
	// eventPing keeps proxies from closing a stream on which nothing happens,
	// and shows a reader that is gone.
	eventPing = 15 * time.Second

	// eventWrite is how long a reader may take for one event.
	eventWrite = 10 * time.Second
)

// eventJSON is a [cluster.Event] as operators read it.
type eventJSON struct {
	At           time.Time  `json:"at"`
	Scope        string     `json:"scope,omitempty"`
	Digest       string     `json:"digest,omitempty"`
	IssuedBefore *time.Time `json:"issued_before,omitempty"` // left out: whenever it was issued
	ExpiresAt    *time.Time `json:"expires_at,omitempty"`
	Here         bool       `json:"here,omitzero"` // accepted by this node
	Member       string     `json:"member,omitempty"`
	State        string     `json:"state,omitempty"`
	Cause        string     `json:"cause,omitempty"` // of the last event: why there are no more
	Lost         int        `json:"lost,omitzero"`   // events before this one that the reader was too slow for
}

func newEvent(e cluster.Event) eventJSON {
	out := eventJSON{At: e.At.UTC(), Member: e.Member, State: string(e.State), Lost: e.Lost}
	if e.Cause != nil {
		out.Cause = e.Cause.Error()
	}
	if e.Kind == cluster.EventRevoked {
		expires := e.Record.ExpiresAt.Time()
		out.Scope, out.Digest, out.ExpiresAt, out.Here = e.Record.Digest.Scope().String(), e.Record.Digest.String(), &expires, e.Here
		if before := e.Record.IssuedBefore.Time(); !before.IsZero() {
			out.IssuedBefore = &before
		}
	}
	return out
}

// getEvents streams what happens as server-sent events, until the client goes,
// the node closes or the API drains.
func (a *API) getEvents(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(a.drained, cancel)()
	events := make(chan cluster.Event)
	all := a.cfg.Node.Watch(ctx) // from before the client knows that it is subscribed
	done := make(chan struct{})
	defer func() { cancel(); <-done }()
	go func() {
		defer close(done)
		defer close(events)
		defer a.survive(r, nil)
		for e := range all {
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	out := eventStream{w, http.NewResponseController(w)}
	ping := time.NewTicker(eventPing)
	defer ping.Stop()
	for err := out.write(": subscribed\n\n"); err == nil; {
		select {
		case e, open := <-events:
			if !open {
				return
			}
			err = out.event(e)
		case <-ping.C:
			err = out.write(": ping\n\n")
		}
	}
}

type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (s eventStream) event(e cluster.Event) error {
	body, err := json.Marshal(newEvent(e))
	if err != nil {
		return err
	}
	return s.write(fmt.Sprintf("event: %s\ndata: %s\n\n", e.Kind, body))
}

// write moves the deadlines of the server, which are meant for answers that end.
func (s eventStream) write(text string) error {
	deadline := s.control.SetWriteDeadline(time.Now().Add(eventWrite))
	if deadline != nil && !errors.Is(deadline, http.ErrNotSupported) {
		return deadline
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}
