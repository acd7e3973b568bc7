package onetime

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// spreadOver is where a bucket's metadata says how many there are. Two nodes
// that disagree would look for one token in two places.
const spreadOver = "rescind-buckets"

const bucketPrefix = "rescind-onetime-"

// markerTTL lets expired keys leave a short trace, without which NATS allows no
// key an expiry of its own.
const markerTTL = time.Second

// open returns bucket number i, and makes it if need be.
func (s *Store) open(ctx context.Context, i int) (jetstream.KeyValue, error) {
	s.mu.Lock()
	known := s.buckets[i]
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	name := fmt.Sprint(bucketPrefix, s.cfg.Cluster, "-", i)
	kv, err := s.js.KeyValue(ctx, name)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = s.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket:         name,
			Description:    "used one-time tokens; deleting a key lets its token be used again",
			MaxValueSize:   1024, // headers count, too
			Storage:        jetstream.FileStorage,
			Replicas:       s.cfg.Replicas,
			LimitMarkerTTL: markerTTL,
			Metadata:       map[string]string{spreadOver: strconv.Itoa(s.cfg.Buckets)},
		})
		if errors.Is(err, jetstream.ErrBucketExists) { // another node was faster
			kv, err = s.js.KeyValue(ctx, name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", name, err)
	}
	if err := s.check(ctx, kv); err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	s.mu.Lock()
	s.buckets[i] = kv
	s.mu.Unlock()
	return kv, nil
}

// ErrWrongBucket: a bucket is not what this node is configured for.
var ErrWrongBucket = errors.New("it does not fit the settings")

// check refuses a bucket that can't keep the promise. Replicas may differ: an
// operator may have added some.
func (s *Store) check(ctx context.Context, kv jetstream.KeyValue) error {
	status, err := kv.Status(ctx)
	if err != nil {
		return err
	}
	config := status.Config()
	switch {
	case config.Metadata[spreadOver] != strconv.Itoa(s.cfg.Buckets):
		return fmt.Errorf("%w: it is one of %q, and one-time.buckets is %d here; use the same number on every node", ErrWrongBucket, config.Metadata[spreadOver], s.cfg.Buckets)
	case config.Storage != jetstream.FileStorage || config.TTL != 0 || config.LimitMarkerTTL == 0:
		return fmt.Errorf("%w: it must be kept in files, without an expiry of its own, with limit markers; delete it and let a node make it", ErrWrongBucket)
	}
	return nil
}
