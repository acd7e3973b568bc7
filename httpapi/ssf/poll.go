package ssf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	// takenAtOnce is how many events are taken side by side, so that their
	// revocations share a write to disk.
	takenAtOnce = 16

	// maxName bounds the jti of an event, in bytes.
	maxName = 256
)

// errSlow: the transmitter has not answered for as long as a poll may take.
var errSlow = errors.New("no answer to the poll in time")

// poll asks once, acknowledging what the poll before has brought, and takes what
// comes. It reports whether that was anything new. The error is one of the
// exchange, or says that events were left with the transmitter.
func (p *Poller) poll(ctx context.Context) (fresh bool, err error) {
	waiting, cancel := context.WithTimeout(ctx, p.stream.Wait)
	defer cancel()
	answer, err := p.exchange(waiting, pollRequest{MaxEvents: &p.stream.MaxEvents, Ack: p.acks, SetErrs: p.errs})
	switch {
	case err != nil && waiting.Err() != nil:
		return false, fmt.Errorf("%w: %w", errSlow, err)
	case err != nil:
		return false, err
	}
	told := make(map[string]bool, len(p.acks)) // to be told again, and not taken
	for _, id := range p.acks {
		told[id] = true
	}
	again := p.errs
	p.acks, p.errs = nil, nil
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(answer.Sets)) {
		switch refusal, refused := again[id]; {
		case told[id]:
			p.acks = append(p.acks, id)
		case refused:
			p.refuse(id, refusal)
		case len(ids) < p.stream.MaxEvents: // who sends more than was asked for can send the rest again
			ids = append(ids, id)
		}
	}
	return p.takeAll(ctx, ids, answer)
}

// takeAll takes the events named and notes what the transmitter is to be told.
func (p *Poller) takeAll(ctx context.Context, ids []string, answer *pollResponse) (fresh bool, err error) {
	outcome := make([]error, len(ids))
	slots := make(chan struct{}, takenAtOnce)
	var running sync.WaitGroup
	for i, id := range ids {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			outcome[i] = p.take(ctx, id, answer)
		})
	}
	running.Wait()
	var kept, refused error
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, id := range ids {
		switch refusal, ok := errors.AsType[*Refusal](outcome[i]); {
		case outcome[i] == nil:
			p.acks = append(p.acks, id)
			p.stats.Taken++
			fresh = true
		case ok:
			p.refuse(id, *refusal)
			p.stats.Refused[refusal.Code]++
			refused = refusal
		default:
			p.stats.Kept++
			kept = outcome[i]
		}
	}
	if refused != nil {
		p.log.Warn("security events were refused, and the transmitter is told so", "events", len(p.errs), "one-of-them", refused)
	}
	if kept != nil {
		return fresh, fmt.Errorf("take a security event: %w", kept)
	}
	return fresh, nil
}

// errPanic stands for what the log says.
var errPanic = errors.New("taking a security event met a bug of this node; its log says where")

// take takes one event. The answer's map is only read. A panic is this node's fault,
// not the event's: the event is left with the transmitter. It would end the process,
// since no handler recovers what happens on this goroutine.
func (p *Poller) take(ctx context.Context, id string, answer *pollResponse) (err error) {
	defer func() {
		if recover() != nil { // its value may quote the event
			p.log.Error("panic while a security event was taken", "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	var raw string
	if id == "" || len(id) > maxName || json.Unmarshal(answer.Sets[id], &raw) != nil {
		return &Refusal{"invalid_request", "the event's name is too long, or its value is no string"}
	}
	return p.stream.Take(ctx, Event{Issuer: p.stream.Issuer, ID: id, Raw: raw})
}

func (p *Poller) refuse(id string, why Refusal) {
	if p.errs == nil {
		p.errs = map[string]Refusal{}
	}
	p.errs[id] = why
}

// exchange sends one request and reads its answer.
func (p *Poller) exchange(ctx context.Context, request pollRequest) (*pollResponse, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("write a poll: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.stream.URL, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the URL can't be used")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	if len(request.SetErrs) > 0 {
		r.Header.Set("Content-Language", "en") // of their descriptions: RFC 8936, section 2.6
	}
	if err := authorize(r, p.stream.Token); err != nil {
		return nil, err
	}
	resp, err := p.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("poll: %w", withoutURL(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, statusOf(resp)
	}
	if *request.MaxEvents == 0 {
		return &pollResponse{}, nil // whatever it says, the acknowledgement has arrived
	}
	raw, err := readAnswer(resp, answerRoom+*request.MaxEvents*maxSET)
	if err != nil {
		return nil, err
	}
	answer := new(pollResponse)
	if err := json.Unmarshal(raw, answer); err != nil {
		return nil, errors.New("the answer has another form than RFC 8936 says") // the decoder's words may quote it
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Polls++
	p.stats.Last = time.Now()
	return answer, nil
}
