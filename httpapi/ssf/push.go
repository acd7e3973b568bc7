package ssf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	// pushedAtOnce is how many events are on their way to one receiver at once.
	pushedAtOnce = 16

	// pushTimeout bounds one attempt.
	pushTimeout = 15 * time.Second

	maxRefusal = 16 << 10 // of the body of an error that is read, in bytes
)

// push delivers what waits for one receiver (RFC 8935) until ctx ends. Events go
// side by side, oldest first; one that the receiver can't take waits for the next
// turn, so that it does not hold up the others. While all fail only one is tried,
// ever less often.
func (t *Transmitter) push(ctx context.Context, o *outlet) {
	var after uint64 // the next turn begins here
	failures, atOnce := 0, pushedAtOnce
	for ctx.Err() == nil {
		_, _, changed := o.queue.size()
		window, err := o.queue.from(after, atOnce, pushedAtOnce*maxSET)
		if err == nil && len(window) == 0 {
			if after > 0 {
				after = 0
				continue
			}
			select {
			case <-ctx.Done():
			case <-changed:
			}
			continue
		}
		progress := false
		if err == nil {
			after = window[len(window)-1].seq + 1
			progress, err = t.pushAll(ctx, o, window)
		}
		switch {
		case ctx.Err() != nil:
		case err == nil || progress:
			failures, atOnce = 0, pushedAtOnce
		default:
			failures++
			atOnce = 1
			if worthALine(failures) {
				t.log.Warn("revocations can't be told to a receiver; they wait", "receiver", o.Name, "error", err, "failures", failures)
			}
			pause(ctx, backoff(failures, err))
		}
	}
}

// pushAll pushes the events of a window. It reports whether one of them needs
// nothing more, and an error if one was not taken.
func (t *Transmitter) pushAll(ctx context.Context, o *outlet, window []entry) (progress bool, failure error) {
	results := make([]error, len(window))
	var running sync.WaitGroup
	for i, e := range window {
		running.Go(func() { results[i] = t.pushOne(ctx, o, e) })
	}
	running.Wait()
	var done []uint64
	for i, e := range window {
		if results[i] == nil {
			done = append(done, e.seq)
			continue
		}
		failure = results[i]
		o.count(func(s *ReceiverStats) { s.Failed++ })
	}
	_, err := o.queue.remove(done...)
	return len(done) > 0 && err == nil, errors.Join(failure, err)
}

// pushOne returns nil if the event needs nothing more: it was taken, or refused,
// or has expired.
func (t *Transmitter) pushOne(ctx context.Context, o *outlet, e entry) error {
	n, ok := t.readNotice(o, e)
	if !ok {
		return nil
	}
	raw, err := t.sign(n, o.Audience)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.Push, strings.NewReader(raw))
	if err != nil {
		return errors.New("the URL can't be used")
	}
	r.Header.Set("Content-Type", "application/"+typeEvent)
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Accept-Language", "en")
	if err := authorize(r, o.Token); err != nil {
		return err
	}
	resp, err := t.client.Do(r)
	if err != nil {
		return fmt.Errorf("push: %w", withoutURL(err))
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusAccepted:
		o.count(func(s *ReceiverStats) { s.Delivered++ })
		return nil
	case http.StatusBadRequest:
		if refusal, ok := readRefusal(resp.Body); ok {
			t.refused(o, refusal.Code)
			return nil
		}
	}
	return statusOf(resp)
}

// readRefusal reads the body of a 400, which without a code is none of RFC 8935.
func readRefusal(body io.Reader) (refusal Refusal, ok bool) {
	raw, err := io.ReadAll(io.LimitReader(body, maxRefusal+1))
	if err != nil || len(raw) > maxRefusal || !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		return refusal, false
	}
	return refusal, json.Unmarshal(raw, &refusal) == nil && refusal.Code != ""
}

// refused counts an event that its receiver does not want. What it says beside a
// known code is not repeated.
func (t *Transmitter) refused(o *outlet, code string) {
	if !slices.Contains(Codes, code) {
		code = "other"
	}
	o.count(func(s *ReceiverStats) { s.Refused[code]++ })
	t.log.Warn("a receiver refuses a revocation, which is not told again", "receiver", o.Name, "code", code)
}

// readNotice returns the event of an entry, unless it has expired or can't be read:
// then nothing more is to be done for it.
func (t *Transmitter) readNotice(o *outlet, e entry) (*notice, bool) {
	n, err := parseNotice(e.value)
	switch {
	case err != nil:
		o.count(func(s *ReceiverStats) { s.Dropped++ })
		t.log.Error("a revocation that waits for a receiver can't be read", "receiver", o.Name, "error", err)
		return nil, false
	case n.expired(time.Now()):
		o.count(func(s *ReceiverStats) { s.Expired++ })
		return nil, false
	}
	return n, true
}
