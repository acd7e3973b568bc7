package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"rescind/cluster"
	"rescind/cmd/node/tracing"
	"rescind/httpapi"
	"rescind/token"
)

// face is a node with its servers.
type face struct {
	node     *cluster.Node
	verifier *token.Verifier
	api      *httpapi.API
	servers  []server
	addr     net.Addr        // of the HTTP face
	events   *eventPolls     // whose events are revoked through api
	told     *transmitting   // tells receivers what is revoked through api; nil: nobody
	cert     *certificate    // nil: no TLS
	reloader *reloader       // nil: its settings are fixed
	traces   *tracing.Tracer // nil: none
	rooms    *rooms          // nil: none
	hosts    hostCheck       // of listeners on loopback
	expiries *expiries       // nil: no certificates
	log      *slog.Logger
}

// server is one on its listener.
type server interface {
	run() error                     // until stop; then nil or any error
	stop(ctx context.Context) error // lets what is under way end, until ctx ends
}

// faceConfig is what the face of a node needs besides the node.
type faceConfig struct {
	listener    net.Listener
	admin       net.Listener // for the admin endpoints; nil: with the others
	grpc        net.Listener // for Envoy; nil: none
	rooms       *rooms       // what strangers may take; nil: no bounds
	expiries    *expiries    // nil: no certificates
	cert        *certificate // nil: no TLS
	verifier    *token.Verifier
	api         httpapi.Config  // without Node, Verifier, Version and Logger
	traces      *tracing.Tracer // nil: none
	extra       http.Handler    // serves the paths below extraPrefix; may be nil
	extraPrefix string
	log         *slog.Logger
}

func newFace(n *cluster.Node, c faceConfig) (*face, error) {
	events := new(eventPolls)
	c.api.EventPolls = events.stats
	c.api.Node, c.api.Verifier, c.api.Version, c.api.Logger = n, c.verifier, buildVersion(), c.log
	api, err := httpapi.New(c.api)
	if err != nil {
		return nil, err
	}
	f := &face{rooms: c.rooms, expiries: c.expiries, cert: c.cert, traces: c.traces, node: n, verifier: c.verifier, api: api, events: events, log: c.log, addr: c.listener.Addr()}
	handler := api.Handler()
	if c.admin != nil {
		handler = api.PublicHandler()
		f.serve(c, c.admin, api.AdminHandler(), true)
	}
	f.serve(c, c.listener, beside(handler, c.extraPrefix, c.extra), false)
	if c.grpc != nil {
		f.servers = append(f.servers, newGRPCServing(c.grpc, api, c.cert, c.rooms.ofCalls(), c.traces.ServerOptions()...))
	}
	return f, nil
}

func (f *face) serve(c faceConfig, l net.Listener, h http.Handler, operators bool) {
	server := f.api.NewServer(l.Addr().String(), c.rooms.ofRequests().Handler(f.hosts.handler(l, c.traces.Handler(h))))
	if c.cert != nil {
		server.TLSConfig = f.api.ServerTLS(c.cert.config(), operators)
	}
	f.servers = append(f.servers, httpServing{server, l})
}

// beside returns a handler that gives paths with the prefix to extra, if there
// is one. It is no ServeMux, which would redirect a forward-auth request whose
// path has // in it.
func beside(main http.Handler, prefix string, extra http.Handler) http.Handler {
	if extra == nil {
		return main
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, prefix) {
			extra.ServeHTTP(w, r)
			return
		}
		main.ServeHTTP(w, r)
	})
}

// run serves until ctx ends or the node fails, and then goes in order: not
// ready, wait for what delay says by then, no new revocations, hand over, leave,
// close. Until the wait has ended, settings are read again when they change, and
// at each hangup.
func (f *face) run(ctx context.Context, delay func() time.Duration, hangup <-chan os.Signal) error {
	served := make(chan error, len(f.servers))
	var running sync.WaitGroup
	for _, s := range f.servers {
		running.Go(func() { served <- s.run() })
	}
	defer running.Wait()
	watching, stopWatching := context.WithCancel(context.Background())
	defer stopWatching()
	running.Go(func() { f.api.Run(watching) })
	reloading, stopReloading := context.WithCancel(context.Background())
	defer stopReloading()
	var reloads sync.WaitGroup
	if f.reloader != nil {
		reloads.Go(func() { f.reloader.run(reloading, reloadEvery, hangup) })
	}
	var cause error
	select {
	case <-ctx.Done():
		f.api.Drain()
		wait(delay(), f.node.Failed())
	case <-f.node.Failed():
		cause = f.node.Err()
	case err := <-served:
		cause = fmt.Errorf("serve: %w", err)
	}
	f.api.Drain()    // also if the node has failed: streams would keep the servers
	f.events.close() // while what they have fetched can still be revoked
	stopReloading()
	reloads.Wait() // nothing is made anew while it ends
	// Not ctx, which has ended: shutting down has time of its own.
	stopping, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := f.node.Shutdown(stopping)
	for _, s := range f.servers {
		err = errors.Join(err, s.stop(stopping))
	}
	f.verifier.Close()
	return errors.Join(cause, err, f.told.close(), f.traces.Close(stopping))
}

// wait returns after d, or when early is closed.
func wait(d time.Duration, early <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-early:
	}
}
