package sharedlog

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"rescind/internal/store"
)

// stream is an opened stream. Its subjects are
//
//	rescind.CLUSTER.log.ID.r.BUCKET   records that expire in that bucket
//	rescind.CLUSTER.log.ID.m.ORIGIN   the last mark of a node
//
// where ID is random. A node that knows an ID can't write into another stream of
// the same name.
type stream struct {
	jetstream.Stream
	prefix string // of the subjects, up to the dot before r and m
}

// keyCheckName is where the stream's metadata hold Config.KeyCheck.
const keyCheckName = "rescind-key-check"

// attemptTimeout bounds one request.
const attemptTimeout = 2 * time.Second

// retryPause and retryMost are the pauses between attempts.
const (
	retryPause = 100 * time.Millisecond
	retryMost  = time.Second
)

// BucketWidth is how much later than its time a record may leave the stream: a
// wider bucket keeps the dead longer, a narrower one makes more subjects, which
// the servers keep in memory.
const BucketWidth = time.Hour

// open opens the stream, making it if there is none. Whoever else does so at the
// same time opens the same.
func (l *Log) open(ctx context.Context) (*stream, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	if err := l.checkSyncing(); err != nil {
		return nil, err
	}
	s, err := l.js.Stream(ctx, l.cfg.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = l.js.CreateStream(ctx, l.newStream())
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			s, err = l.js.Stream(ctx, l.cfg.Stream)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open the stream %s: %w", l.cfg.Stream, err)
	}
	prefix, err := l.check(s.CachedInfo().Config)
	if err != nil {
		return nil, fmt.Errorf("the stream %s: %w", l.cfg.Stream, err)
	}
	return &stream{s, prefix}, nil
}

// checkSyncing refuses servers that may forget what they have acknowledged.
func (l *Log) checkSyncing() error {
	switch {
	case !l.link.IsConnected():
		return errors.New("there is no connection to NATS")
	case !l.cfg.DangerouslyAssumeSync && (l.cfg.SyncingServer == "" || l.link.ConnectedServerName() != l.cfg.SyncingServer):
		return ErrMayNotSync
	default:
		return nil
	}
}

func (l *Log) newStream() jetstream.StreamConfig {
	var id [8]byte
	rand.Read(id[:]) // never fails
	return jetstream.StreamConfig{
		Name:        l.cfg.Stream,
		Description: "revocations of the Rescind cluster " + l.cfg.Cluster + "; what is deleted here is forgotten when its nodes restart",
		Subjects:    []string{l.subjects() + hex.EncodeToString(id[:]) + ".>"},
		Storage:     jetstream.FileStorage,
		Replicas:    l.cfg.Replicas,
		MaxBytes:    l.cfg.MaxBytes,
		Discard:     jetstream.DiscardNew,
		Duplicates:  2 * time.Minute,
		AllowRollup: true, // of marks
		AllowMsgTTL: true, // likewise
		Metadata:    map[string]string{keyCheckName: hex.EncodeToString(l.cfg.KeyCheck[:])},
	}
}

func (l *Log) subjects() string { return "rescind." + l.cfg.Cluster + ".log." }

// check refuses a stream that can't keep the promise. Replicas, limits in bytes
// and the servers that hold it are the operator's.
func (l *Log) check(c jetstream.StreamConfig) (prefix string, err error) {
	if c.Metadata[keyCheckName] != hex.EncodeToString(l.cfg.KeyCheck[:]) {
		return "", store.ErrOtherCluster
	}
	if len(c.Subjects) != 1 || len(c.Subjects[0]) != len(l.subjects())+16+2 {
		return "", fmt.Errorf("%w: its subjects are %.200q", ErrWrongStream, c.Subjects)
	}
	for what, wrong := range map[string]bool{
		"it must be kept in files":                                                c.Storage != jetstream.FileStorage,
		"it must refuse what is new when it is full":                              c.Discard != jetstream.DiscardNew,
		"it must not drop by age or number of messages":                           c.MaxAge != 0 || c.MaxMsgs > 0 || c.MaxMsgsPerSubject > 0 || c.Retention != jetstream.LimitsPolicy,
		"it must allow roll-up headers and single messages to expire (NATS 2.11)": !c.AllowRollup || !c.AllowMsgTTL,
	} {
		if wrong {
			return "", fmt.Errorf("%w: %s", ErrWrongStream, what)
		}
	}
	return c.Subjects[0][:len(c.Subjects[0])-1], nil
}

func (s *stream) bucketSubject(bucket uint64) string {
	return s.prefix + "r." + strconv.FormatUint(bucket, 10)
}

func (s *stream) markSubject(origin uint64) string { return fmt.Sprintf("%sm.%016x", s.prefix, origin) }

// fatal reports whether trying again can't help.
func fatal(err error) bool {
	return errors.Is(err, store.ErrOtherCluster) || errors.Is(err, ErrWrongStream) || errors.Is(err, ErrMayNotSync)
}
