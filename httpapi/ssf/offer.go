package ssf

import (
	"context"
	"errors"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// offered bounds the events of one answer to a poll.
	offered = 100

	// longPoll is how long a poll is kept open that finds nothing.
	longPoll = 30 * time.Second
)

// Errors of Poll.
var (
	ErrPollForm  = errors.New("ssf: the poll is no JSON object as RFC 8936 has it")
	ErrTooMany   = errors.New("ssf: the receiver keeps too many polls open")
	ErrNoOutlet  = errors.New("ssf: there is no such receiver that polls")
	ErrNotServed = errors.New("ssf: what waits for the receiver can't be read")
)

// Poll answers a poll (RFC 8936) of the receiver called name, whose body is
// request: it drops what the receiver acknowledges or refuses, and hands out the
// oldest of what waits, at most 100 events. Unless it is to return immediately, it
// waits for the first for 30 s, or until ctx ends. What is handed out stays until
// it is acknowledged; names that are not known are ignored. Errors are one of
// those above.
func (t *Transmitter) Poll(ctx context.Context, name string, request []byte) (answer []byte, err error) {
	o := t.outlet(name)
	if o == nil || o.Push != "" {
		return nil, ErrNoOutlet
	}
	var poll pollRequest
	if json.Unmarshal(request, &poll) != nil || jsontext.Value(request).Kind() != jsontext.KindBeginObject || poll.MaxEvents != nil && *poll.MaxEvents < 0 {
		return nil, ErrPollForm
	}
	if err := t.settle(o, &poll); err != nil {
		return nil, t.notServed(o, err)
	}
	n := offered
	if poll.MaxEvents != nil {
		n = min(n, *poll.MaxEvents)
	}
	if n > 0 && !poll.ReturnImmediately {
		if err := t.awaitSome(ctx, o); err != nil {
			return nil, err
		}
	}
	response, err := t.offer(o, n)
	if err != nil {
		return nil, t.notServed(o, err)
	}
	return json.Marshal(response)
}

func (t *Transmitter) notServed(o *outlet, err error) error {
	t.log.Error("revocations can't be told to a receiver that polls", "receiver", o.Name, "error", err)
	return ErrNotServed
}

// settle drops what the receiver has taken or refused.
func (t *Transmitter) settle(o *outlet, poll *pollRequest) error {
	for _, id := range poll.Ack {
		removed, err := o.removeNamed(id)
		if err != nil {
			return err
		}
		o.count(func(s *ReceiverStats) { s.Delivered += uint64(removed) })
	}
	for id, refusal := range poll.SetErrs {
		removed, err := o.removeNamed(id)
		if err != nil {
			return err
		}
		if removed > 0 {
			t.refused(o, refusal.Code)
		}
	}
	return nil
}

// removeNamed drops the event with this jti, if it is of this receiver.
func (o *outlet) removeNamed(id string) (removed int, err error) {
	seq, ok := seqOf(id)
	if !ok {
		return 0, nil
	}
	value, err := o.queue.get(seq)
	if err != nil || value == nil {
		return 0, err
	}
	if n, err := parseNotice(value); err != nil || n.ID != id {
		return 0, nil // of another time, or another's
	}
	return o.queue.remove(seq)
}

// awaitSome returns when something waits for the receiver, or the time is over.
func (t *Transmitter) awaitSome(ctx context.Context, o *outlet) error {
	count, _, changed := o.queue.size()
	if count > 0 {
		return nil
	}
	select {
	case o.polls <- struct{}{}:
	default:
		return ErrTooMany
	}
	defer func() { <-o.polls }()
	end := time.NewTimer(longPoll)
	defer end.Stop()
	select {
	case <-changed:
	case <-end.C:
	case <-ctx.Done():
	case <-t.ctx.Done():
	}
	return nil
}

// offer hands out up to n events.
func (t *Transmitter) offer(o *outlet, n int) (*pollResponse, error) {
	response := &pollResponse{Sets: map[string]jsontext.Value{}}
	if n == 0 {
		return response, nil
	}
	all, err := o.queue.from(0, n, n*maxSET)
	if err != nil {
		return nil, err
	}
	var over []uint64
	for _, e := range all {
		n, ok := t.readNotice(o, e)
		if !ok {
			over = append(over, e.seq)
			continue
		}
		raw, err := t.sign(n, o.Audience)
		if err != nil {
			return nil, err
		}
		response.Sets[n.ID] = jsontext.Value(`"` + raw + `"`) // letters, digits, -, _ and dots
	}
	if _, err := o.queue.remove(over...); err != nil {
		return nil, err
	}
	count, _, _ := o.queue.size()
	response.MoreAvailable = count > len(response.Sets)
	return response, nil
}
