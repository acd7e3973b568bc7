package sharedlog

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// errDuplicate: the stream says that it has a message already, and what it has is
// another one under the same ID.
var errDuplicate = errors.New("somebody else has written into the stream of revocations under the ID of a message of this node")

// newID returns an ID that nobody can guess. Whoever reads the subjects sees it
// with the message, and may use it for junk from then on: see send.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// send publishes m and returns its number in the stream once it is there. An
// answer that says "I have that already" is no acknowledgement by itself: it
// compares IDs alone. What is there must be m.
func (l *Log) send(ctx context.Context, s *stream, m *nats.Msg, opts ...jetstream.PublishOpt) (seq uint64, err error) {
	a := l.history.begin()
	start := time.Now()
	ack, err := l.publish(ctx, m, opts...)
	if err != nil {
		return 0, err
	}
	if ack.Duplicate {
		if err := l.holds(ctx, s, ack.Sequence, m.Subject, m.Data); err != nil {
			return 0, err
		}
		return ack.Sequence, nil
	}
	if err := l.history.took(a, ack.Sequence); err != nil {
		if errors.Is(err, ErrLost) {
			l.lose(a.age, err)
		}
		return 0, err
	}
	l.published.Observe(time.Since(start))
	return ack.Sequence, nil
}

func (l *Log) publish(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	ctx, cancel := l.attempt(ctx, m.Subject)
	defer cancel()
	ack, err := l.js.PublishMsg(ctx, m, append(opts, jetstream.WithExpectStream(l.cfg.Stream))...)
	if err = l.cause(ctx, err); errors.Is(err, ErrQuota) {
		err = fmt.Errorf("%w: %w", ErrFull, err) // of a message, not of a stream
	}
	return ack, err
}

// holds returns nil if message seq of the stream is this one.
func (l *Log) holds(ctx context.Context, s *stream, seq uint64, subject string, data []byte) error {
	ctx, cancel := l.attempt(ctx, "STREAM.MSG.GET")
	defer cancel()
	found, err := s.GetMsg(ctx, seq)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return fmt.Errorf("%w: message %d is gone", errDuplicate, seq)
	case err != nil:
		return fmt.Errorf("ask for message %d: %w", seq, l.cause(ctx, err))
	case found.Subject != subject || !bytes.Equal(found.Data, data):
		return errDuplicate
	}
	return nil
}

// wrongLast reports whether the stream refused a message because another one was
// the last of its subject than was expected.
func wrongLast(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}
