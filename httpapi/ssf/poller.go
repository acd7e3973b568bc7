package ssf

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

const (
	// MaxEvents bounds the events of one poll; with maxSET it bounds the memory
	// that a poll takes.
	MaxEvents = 500

	// maxSET is the room for one event in an answer, in bytes: twice what a
	// verifier reads of a token.
	maxSET = 16 << 10

	// answerRoom is for what surrounds the events of an answer.
	answerRoom = 64 << 10

	// pollGap is the least time from one poll to the next after one that brought
	// nothing new: some transmitters answer at once although they are asked to
	// wait.
	pollGap = time.Second

	// farewell bounds the last acknowledgement of a poller that is closed.
	farewell = 2 * time.Second

	maxPollWait = 5 * time.Minute
)

// Event is one event token as a transmitter hands it out.
type Event struct {
	Issuer string // whose it must be
	ID     string // the name that it goes by, its jti
	Raw    string // in compact form
}

// Stream is a transmitter's poll endpoint and what is done with its events.
// Issuer, URL and Take are required.
type Stream struct {
	// Issuer is the iss of the events; in logs and metrics the stream's name.
	Issuer string

	// URL is where to poll: https, or http on loopback.
	URL string

	// Token returns the bearer token for the transmitter; it is called for each
	// poll. nil sends none.
	Token func() (string, error)

	// Take acts on an event and returns nil once that is durable, also if it was
	// taken before. A *Refusal is reported to the transmitter, which then does not
	// offer the event again; after any other error it does. Several events are
	// taken at once.
	Take func(context.Context, Event) error

	// Wait is how long a poll may stay open before this side hangs up; it should
	// be more than the transmitter keeps one open that brings nothing. 0 means one
	// minute; at most 5 minutes.
	Wait time.Duration

	// MaxEvents is how many events one poll asks for. 0 means 100; at most
	// [MaxEvents].
	MaxEvents int

	// Client sends the polls, but follows no redirect. nil means one of its own.
	Client *http.Client

	// Logger is told what an operator should know. nil means slog.Default().
	Logger *slog.Logger
}

// Validate returns what is wrong with s, or nil: then StartPoller takes it.
func (s Stream) Validate() error {
	_, err := s.withDefaults()
	return err
}

func (s Stream) withDefaults() (Stream, error) {
	if s.Issuer == "" || s.Take == nil {
		return s, errors.New("ssf: Stream.Issuer and Stream.Take are required")
	}
	if err := checkURL(s.URL); err != nil {
		return s, fmt.Errorf("ssf: Stream.URL: %w", err)
	}
	if s.Wait == 0 {
		s.Wait = time.Minute
	}
	if s.MaxEvents == 0 {
		s.MaxEvents = 100
	}
	if s.Wait < 0 || s.Wait > maxPollWait {
		return s, fmt.Errorf("ssf: Stream.Wait is %v; use at most %v", s.Wait, maxPollWait)
	}
	if s.MaxEvents < 0 || s.MaxEvents > MaxEvents {
		return s, fmt.Errorf("ssf: Stream.MaxEvents is %d; use at most %d", s.MaxEvents, MaxEvents)
	}
	if s.Logger == nil {
		s.Logger = slog.Default()
	}
	return s, nil
}

// Poller polls one stream from its start until Close. Its methods are safe for
// concurrent use.
type Poller struct {
	stream Stream
	client *http.Client
	log    *slog.Logger
	stop   context.CancelFunc
	done   chan struct{}

	// What the next poll tells the transmitter; for the goroutine of run alone.
	// Both are replaced once a poll has delivered them, so they hold no more than
	// one answer brought.
	acks []string
	errs map[string]Refusal

	mu    sync.Mutex // guards stats
	stats PollStats
}

// StartPoller polls a stream until Close is called. It does not wait for the
// first poll: a transmitter that is down keeps no node from starting.
func StartPoller(s Stream) (*Poller, error) {
	s, err := s.withDefaults()
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Poller{
		stream: s, client: peerClient(s.Client), stop: stop, done: make(chan struct{}),
		log:   s.Logger.With("transmitter", s.Issuer),
		stats: PollStats{Issuer: s.Issuer, Refused: map[string]uint64{}},
	}
	go func() {
		defer close(p.done)
		p.run(ctx)
		p.client.CloseIdleConnections()
	}()
	return p, nil
}

// Close stops polling, acknowledges what has been taken, for which it waits two
// seconds at most, and returns when nothing of the poller runs any more. It may
// be called again.
func (p *Poller) Close() {
	p.stop()
	<-p.done
}

func (p *Poller) run(ctx context.Context) {
	failures, vain := 0, 0 // vain: since something new was taken
	for ctx.Err() == nil {
		began := time.Now()
		fresh, err := p.poll(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			failures++
			if vain++; fresh { // what can't be taken holds up no other
				vain = 1
			}
			p.failed(err, failures)
			pause(ctx, p.penalty(vain, err))
		default:
			if failures > 0 {
				p.log.Info("security events can be polled again", "failures", failures)
			}
			failures, vain = 0, 0
			if !fresh {
				pause(ctx, time.Until(began.Add(pollGap)))
			}
		}
	}
	p.sayGoodbye()
}

// penalty is how long to wait after a failure. A poll that took all the time it
// had was slow enough: the transmitter may keep polls open for longer than that.
func (p *Poller) penalty(failures int, err error) time.Duration {
	if errors.Is(err, errSlow) {
		return pollGap
	}
	return backoff(failures, err)
}

func (p *Poller) failed(err error, failures int) {
	p.mu.Lock()
	p.stats.Failed++
	p.mu.Unlock()
	if worthALine(failures) {
		p.log.Warn("security events can't be polled or taken", "error", err, "failures", failures)
	}
}

// sayGoodbye acknowledges what was taken since the last poll (RFC 8936, section
// 2.4.2). If it does not get through, the events come again.
func (p *Poller) sayGoodbye() {
	if len(p.acks) == 0 && len(p.errs) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	none := 0
	if _, err := p.exchange(ctx, pollRequest{MaxEvents: &none, ReturnImmediately: true, Ack: p.acks, SetErrs: p.errs}); err != nil {
		p.log.Warn("the last security events were taken but not acknowledged; they will come again, which is harmless", "error", err)
	}
}

// PollStats are what a poller has counted.
type PollStats struct {
	Issuer  string
	Polls   uint64            // that were answered
	Failed  uint64            // that were not, or whose events could not all be taken
	Taken   uint64            // events acted upon
	Refused map[string]uint64 // events reported as refused, by code
	Kept    uint64            // events left with the transmitter, because this node could not take them

	// Last is when a poll was last answered; zero: never.
	Last time.Time
}

// Stats returns what has been counted so far.
func (p *Poller) Stats() PollStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.stats
	out.Refused = make(map[string]uint64, len(p.stats.Refused))
	for code, n := range p.stats.Refused {
		out.Refused[code] = n
	}
	return out
}
