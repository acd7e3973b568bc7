package sharedlog

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"rescind/internal/store"
)

// stream is an opened stream. Its subjects are
//
//	rescind.CLUSTER.log.ID.r.BUCKET   records that expire in that bucket
//	rescind.CLUSTER.log.ID.m.ORIGIN   the latest marks of a node
//	rescind.CLUSTER.log.ID.w          who writes back what the stream has lost
//
// where ID is random. A node that knows an ID can't write into another stream of
// the same name.
type stream struct {
	jetstream.Stream
	prefix string // of the subjects, up to the dot before r, m and w
	id     uint64
	rollup atomic.Bool // it still allows roll-up headers, see Log.forbidRollup
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
	if err := l.checkSyncing(); err != nil {
		return nil, err
	}
	if err := l.checkVersion(); err != nil {
		return nil, err
	}
	s, err := l.lookUp(ctx)
	made := false
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, made, err = l.make(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("open the stream %s: %w", l.cfg.Stream, err)
	}
	opened, err := l.check(s)
	if err != nil {
		if made && !errors.Is(err, store.ErrOtherCluster) {
			l.unmake(ctx)
		}
		return nil, fmt.Errorf("the stream %s: %w", l.cfg.Stream, err)
	}
	l.size.set(s.CachedInfo(), l.cfg.Steady())
	return opened, nil
}

func (l *Log) lookUp(ctx context.Context) (jetstream.Stream, error) {
	ctx, cancel := l.attempt(ctx, "STREAM.INFO")
	defer cancel()
	s, err := l.js.Stream(ctx, l.cfg.Stream)
	return s, l.cause(ctx, err)
}

// make makes the stream, after it has looked whether that can work.
func (l *Log) make(ctx context.Context) (s jetstream.Stream, made bool, err error) {
	if err := l.checkAccount(ctx); err != nil {
		return nil, false, err
	}
	attempt, cancel := l.attempt(ctx, "STREAM.CREATE")
	defer cancel()
	s, err = l.js.CreateStream(attempt, l.newStream())
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		s, err = l.lookUp(ctx)
		return s, false, err
	}
	return s, err == nil, l.cause(attempt, err)
}

// unmake removes a stream that this node has just made and that turned out not to
// be what it asked for: it would be in the way after an upgrade.
func (l *Log) unmake(ctx context.Context) {
	ctx, cancel := l.attempt(ctx, "STREAM.DELETE")
	defer cancel()
	if err := l.js.DeleteStream(ctx, l.cfg.Stream); err != nil {
		l.log.Warn("the server made another stream than it was asked for, and it can't be deleted: do that by hand", "stream", l.cfg.Stream, "error", l.cause(ctx, err))
	}
}

// checkSyncing refuses servers that may forget what they have acknowledged.
func (l *Log) checkSyncing() error {
	switch {
	case !l.link.IsConnected():
		return cmp.Or(l.refused(), errors.New("there is no connection to NATS"))
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
		Metadata:    map[string]string{keyCheckName: hex.EncodeToString(l.cfg.KeyCheck[:])},
	}
}

func (l *Log) subjects() string { return "rescind." + l.cfg.Cluster + ".log." }

// check refuses a stream that can't keep the promise. Replicas, limits in bytes
// and the servers that hold it are the operator's.
//
// Streams that earlier versions made let messages expire by themselves, which
// can't be undone and harms nobody: what has such a header is not counted.
func (l *Log) check(found jetstream.Stream) (*stream, error) {
	c := found.CachedInfo().Config
	if c.Metadata[keyCheckName] != hex.EncodeToString(l.cfg.KeyCheck[:]) {
		return nil, store.ErrOtherCluster
	}
	s := &stream{Stream: found}
	fits := false
	if len(c.Subjects) == 1 {
		text, after := strings.CutSuffix(c.Subjects[0], ".>")
		text, before := strings.CutPrefix(text, l.subjects())
		s.prefix = strings.TrimSuffix(c.Subjects[0], ">")
		s.id, fits = idOf(text)
		fits = fits && after && before
	}
	if !fits {
		return nil, fmt.Errorf("%w: its subjects are %.200q", ErrWrongStream, c.Subjects)
	}
	for what, wrong := range map[string]bool{
		"it must be kept in files":                                c.Storage != jetstream.FileStorage,
		"it must refuse what is new when it is full":              c.Discard != jetstream.DiscardNew,
		"it must not drop by age or number of messages":           c.MaxAge != 0 || c.MaxMsgs > 0 || c.MaxMsgsPerSubject > 0 || c.Retention != jetstream.LimitsPolicy,
		"it must take messages of any size":                       c.MaxMsgSize > 0,
		"it must answer what it has taken":                        c.NoAck,
		"it must be nobody's mirror and take nothing from others": c.Mirror != nil || len(c.Sources) > 0 || c.Sealed || c.SubjectTransform != nil,
	} {
		if wrong {
			return nil, fmt.Errorf("%w: %s", ErrWrongStream, what)
		}
	}
	s.rollup.Store(c.AllowRollup)
	return s, nil
}

func (s *stream) bucketSubject(bucket uint64) string {
	return s.prefix + "r." + strconv.FormatUint(bucket, 10)
}

func (s *stream) markSubject(origin uint64) string { return fmt.Sprintf("%sm.%016x", s.prefix, origin) }

// fatal reports whether trying again can't help.
func fatal(err error) bool {
	return errors.Is(err, store.ErrOtherCluster) || errors.Is(err, ErrWrongStream) || errors.Is(err, ErrMayNotSync)
}
