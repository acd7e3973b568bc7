package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"rescind/cluster"
	"rescind/httpapi"
	"rescind/token"
)

// face is a node with its HTTP server.
type face struct {
	node     *cluster.Node
	verifier *token.Verifier
	api      *httpapi.API
	server   *http.Server
	listener net.Listener
}

// faceConfig is what the HTTP face of a node needs besides the node.
type faceConfig struct {
	listener    net.Listener
	verifier    *token.Verifier
	issuer      string // the only one, or ""
	adminToken  []byte
	maxLifetime time.Duration
	jwks        func() ([]byte, error)
	issued      func() token.Stats // of the demo issuer; may be nil
	extra       http.Handler       // serves the paths below extraPrefix; may be nil
	extraPrefix string
	log         *slog.Logger
}

func newFace(n *cluster.Node, c faceConfig) (*face, error) {
	api, err := httpapi.New(httpapi.Config{
		Node: n, Verifier: c.verifier, Issuer: c.issuer, AdminToken: c.adminToken, JWKS: c.jwks, Issued: c.issued,
		MaxLifetime: c.maxLifetime, Version: buildVersion(), Logger: c.log,
	})
	if err != nil {
		return nil, err
	}
	server := httpapi.NewServer(c.listener.Addr().String(), beside(api.Handler(), c.extraPrefix, c.extra), c.log)
	return &face{node: n, verifier: c.verifier, api: api, server: server, listener: c.listener}, nil
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
// ready, wait for delay, no new revocations, hand over, leave, close.
func (f *face) run(ctx context.Context, delay time.Duration) error {
	served := make(chan error, 1)
	go func() { served <- f.server.Serve(f.listener) }()
	var cause error
	select {
	case <-ctx.Done():
		f.api.Drain()
		wait(delay, f.node.Failed())
	case <-f.node.Failed():
		cause = f.node.Err()
	case err := <-served:
		cause = fmt.Errorf("serve HTTP: %w", err)
		served <- nil
	}
	// Not ctx, which has ended: shutting down has time of its own.
	stopping, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := f.node.Shutdown(stopping)
	if e := f.server.Shutdown(stopping); e != nil {
		err = errors.Join(err, e, f.server.Close())
	}
	<-served
	f.verifier.Close()
	return errors.Join(cause, err)
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
