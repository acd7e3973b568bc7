package extauthz

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
)

// countedFace counts how often it is asked.
type countedFace struct {
	Face
	asked atomic.Int64
	ready atomic.Bool
}

func (f *countedFace) Ready() bool { f.asked.Add(1); return f.ready.Load() }

// watcher is the stream of one health watch.
type watcher struct {
	grpc_health_v1.Health_WatchServer
	ctx  context.Context
	told atomic.Int64
	last atomic.Int32
}

func (w *watcher) Context() context.Context { return w.ctx }
func (w *watcher) Send(r *grpc_health_v1.HealthCheckResponse) error {
	w.told.Add(1)
	w.last.Store(int32(r.Status))
	return nil
}
func (w *watcher) SetHeader(metadata.MD) error { return nil }

// A thousand watchers cost the node no more than one, and all are told of a change.
func TestHealthAsksTheNodeForAllWatchersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		face := &countedFace{}
		face.ready.Store(true)
		h := &health{face: face}
		ctx, cancel := context.WithCancel(t.Context())
		var all [1000]*watcher
		for i := range all {
			all[i] = &watcher{ctx: ctx}
			go h.Watch(&grpc_health_v1.HealthCheckRequest{}, all[i])
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got, most := face.asked.Load(), int64(time.Minute/healthEvery)+1; got > most {
			t.Errorf("the node was asked %d times in a minute, want at most %d", got, most)
		}
		face.ready.Store(false)
		time.Sleep(2 * healthEvery)
		synctest.Wait()
		for i, w := range all {
			if w.told.Load() != 2 || w.last.Load() != int32(grpc_health_v1.HealthCheckResponse_NOT_SERVING) {
				t.Fatalf("watcher %d was told %d times, last %d", i, w.told.Load(), w.last.Load())
			}
		}
		cancel()
		synctest.Wait()
	})
}
