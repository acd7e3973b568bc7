package ssf

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"rescind"
)

const (
	// maxPending bounds what waits in memory to be written to the log, in bytes.
	maxPending = 8 << 20

	defaultQueue = 64 << 20
	pollsAtOnce  = 2 // of one receiver, kept open
)

// Signer signs event tokens; *token.KeySet is one.
type Signer interface {
	SignJWT(typ string, claims any) (string, error)
}

// TransmitterConfig says who is told of revocations, and as whom. Issuer, Signer
// and Log are required.
type TransmitterConfig struct {
	Issuer    string // iss of the events
	Signer    Signer
	Receivers []Receiver
	Log       Log

	// MaxBytes is how much may wait for one receiver; beyond it the oldest is
	// dropped. 0 means 64 MiB; negative is refused.
	MaxBytes int64

	// Client pushes events, but follows no redirect. nil means one of its own.
	Client *http.Client

	// Logger is told what an operator should know. nil means slog.Default().
	Logger *slog.Logger
}

// Origin says by what a revocation came about; the zero value: not by an event.
type Origin struct {
	Issuer string // of the event that asked for it
	Txn    string // of that event, or what else names it
}

// Transmitter tells receivers of revocations, by session-revoked events of CAEP.
// An event is kept in the log until its receiver has taken or refused it, so that
// it is delivered at least once; receivers know it again by its jti. Its methods
// are safe for concurrent use.
type Transmitter struct {
	cfg     TransmitterConfig
	log     *slog.Logger
	client  *http.Client
	outlets []*outlet
	self    atomic.Pointer[identity]

	mu      sync.Mutex // guards pending, held and lost
	pending []announcement
	held    int    // bytes of pending
	lost    uint64 // announcements that found no room

	wake    chan struct{} // holds one notice that something is pending
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
}

// identity is as whom events are sent.
type identity struct {
	issuer string
	signer Signer
}

// SetIdentity sends events as issuer from now on, signed by signer; also those that
// wait.
func (t *Transmitter) SetIdentity(issuer string, signer Signer) {
	t.self.Store(&identity{strings.Clone(issuer), signer})
}

// announcement is a revocation that receivers are to be told of, or a
// verification that one has asked for.
type announcement struct {
	notice
	rev  rescind.Key // what is revoked
	from Origin
	to   *outlet // nil: all who want it
}

// NewTransmitter starts delivering, also what waits in the log from before.
func NewTransmitter(c TransmitterConfig) (*Transmitter, error) {
	if c.Issuer == "" || c.Signer == nil || c.Log == nil {
		return nil, errors.New("ssf: TransmitterConfig.Issuer, Signer and Log are required")
	}
	if err := CheckReceivers(c.Receivers); err != nil {
		return nil, err
	}
	if c.MaxBytes < 0 {
		return nil, fmt.Errorf("ssf: TransmitterConfig.MaxBytes is %d; it must not be negative", c.MaxBytes)
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = defaultQueue
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	t := &Transmitter{cfg: c, log: c.Logger, client: peerClient(c.Client), wake: make(chan struct{}, 1)}
	t.SetIdentity(c.Issuer, c.Signer)
	for _, r := range c.Receivers {
		q, err := openQueue(c.Log, r.Name, c.MaxBytes)
		if err != nil {
			return nil, err
		}
		o := &outlet{Receiver: r, queue: q, polls: make(chan struct{}, pollsAtOnce), stats: ReceiverStats{Name: r.Name, Refused: map[string]uint64{}}}
		if r.SHA256 != "" {
			o.digest, _ = hex.DecodeString(r.SHA256) // CheckReceivers has looked at it
		}
		t.outlets = append(t.outlets, o)
	}
	t.ctx, t.stop = context.WithCancel(context.Background())
	t.running.Go(t.intake)
	for _, o := range t.outlets {
		if o.Push != "" {
			t.running.Go(func() { t.push(t.ctx, o) })
		}
	}
	return t, nil
}

// Close writes to the log what is still to be written, stops delivering and
// waits until nothing runs any more; polls that are kept open end. What waits is
// delivered after the next start. It may be called again.
func (t *Transmitter) Close() {
	t.stop()
	t.running.Wait()
	t.client.CloseIdleConnections()
}

// Issuer returns the iss of the events.
func (t *Transmitter) Issuer() string { return t.self.Load().issuer }

// Announce tells receivers of a revocation that was accepted. It never waits and
// never fails: what finds no room is counted as dropped. A crash within some
// milliseconds may lose it, though not the revocation. Scopes other than sid and
// sub are not told.
func (t *Transmitter) Announce(rev rescind.Revocation, r rescind.Receipt, from Origin) {
	// It is kept, and the caller's strings may lie in a buffer that is used again.
	rev.Issuer, rev.ID = strings.Clone(rev.Issuer), strings.Clone(rev.ID)
	from.Issuer, from.Txn = strings.Clone(from.Issuer), strings.Clone(from.Txn)
	s := subjectOf(rev.Key)
	if s == nil {
		return
	}
	now := time.Now()
	at := now.Unix()
	if rev.Scope == rescind.ScopeSub { // what began later goes on
		at = min(at, int64(r.IssuedBefore/1000))
	}
	t.enqueue(announcement{
		notice: notice{
			At: now.Unix(), Txn: txnOf(from), Subject: s, Event: sessionRevoked,
			Payload: map[string]any{"event_timestamp": at}, Until: r.ExpiresAt,
		},
		rev: rev.Key, from: from,
	})
}

// txnOf names what a revocation came of, so that it is known again if it comes
// round.
func txnOf(from Origin) string {
	switch {
	case from.Txn == "":
		return rand.Text()
	case len(from.Txn) > maxName:
		sum := sha256.Sum256([]byte(from.Txn))
		return hex.EncodeToString(sum[:])
	}
	return from.Txn
}

// Verify sends the receiver called name an event that shows whether events reach
// it (Shared Signals Framework, section 8.1.4). state, of at most 1 KiB, comes back
// in it.
func (t *Transmitter) Verify(name, state string) error {
	o := t.outlet(name)
	if o == nil || len(state) > 1024 {
		return errors.New("ssf: there is no such receiver, or the state is too long")
	}
	payload := map[string]any{}
	if state != "" {
		payload["state"] = strings.Clone(state)
	}
	now := time.Now()
	t.enqueue(announcement{to: o, notice: notice{
		At: now.Unix(), Subject: &subject{Format: "opaque", ID: o.Name}, Event: verification, Payload: payload,
		Until: rescind.MillisOf(now.Add(time.Hour)),
	}})
	return nil
}

func (t *Transmitter) enqueue(a announcement) {
	size := 512 + len(a.rev.Issuer) + len(a.Subject.ID) + len(a.Subject.Sub) + len(a.Txn)
	t.mu.Lock()
	fits := t.held+size <= maxPending && t.ctx.Err() == nil
	if fits {
		t.pending = append(t.pending, a)
		t.held += size
	} else {
		t.lost++
	}
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// intake writes to the log what is announced: what comes during a write makes up
// the next.
func (t *Transmitter) intake() {
	failures := 0
	for closing := false; !closing; {
		select {
		case <-t.wake:
		case <-t.ctx.Done():
			closing = true
		}
		t.mu.Lock()
		all, lost := t.pending, t.lost
		t.pending, t.held, t.lost = nil, 0, 0
		t.mu.Unlock()
		if lost > 0 {
			t.log.Error("revocations come faster than they can be written for their receivers; some are not told", "dropped", lost)
			for _, o := range t.outlets {
				o.count(func(s *ReceiverStats) { s.Dropped += lost })
			}
		}
		if err := t.store(all); err != nil {
			if failures++; worthALine(failures) {
				t.log.Error("revocations can't be written for their receivers, who are not told", "error", err, "failures", failures)
			}
		}
	}
}

// store writes announcements to the log, for each receiver that wants them.
func (t *Transmitter) store(all []announcement) error {
	var entries []LogEntry
	byOutlet := make([][]LogEntry, len(t.outlets))
	for i, o := range t.outlets {
		seq := o.queue.seq()
		for _, a := range all {
			if !o.isTold(a) {
				continue
			}
			e, err := a.entry(o.Name, seq)
			if err != nil {
				return err
			}
			seq++
			byOutlet[i] = append(byOutlet[i], e)
		}
		entries = append(entries, byOutlet[i]...)
	}
	if len(entries) == 0 {
		return nil
	}
	failure := t.cfg.Log.Append(entries)
	for i, o := range t.outlets {
		dropped, err := len(byOutlet[i]), failure
		if failure == nil {
			dropped, err = o.queue.added(byOutlet[i])
		}
		if dropped > 0 {
			o.count(func(s *ReceiverStats) { s.Dropped += uint64(dropped) })
			t.log.Error("a receiver is not told of revocations: the oldest were dropped, because too much waits or the disk failed", "receiver", o.Name, "dropped", dropped)
		}
		failure = errors.Join(failure, err)
	}
	return failure
}

// isTold reports whether the receiver gets an announcement: not back what it told
// itself, and nothing that has come round to it in a ring of transmitters.
func (o *outlet) isTold(a announcement) bool {
	if a.to != nil {
		return a.to == o
	}
	return o.wants(a.rev.Issuer, a.from) && o.told.first(fmt.Sprintf("%s\x00%v\x00%s\x00%s", a.Txn, a.rev.Scope, a.rev.Issuer, a.rev.ID))
}

// entry is what the log keeps of an announcement to one receiver.
func (a announcement) entry(queue string, seq uint64) (LogEntry, error) {
	n := a.notice
	n.ID = newID(seq)
	value, err := json.Marshal(n)
	if err != nil {
		return LogEntry{}, fmt.Errorf("ssf: write an event: %w", err)
	}
	return LogEntry{Queue: queue, Seq: seq, Value: value}, nil
}
