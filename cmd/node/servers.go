package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"rescind/httpapi"
	"rescind/httpapi/extauthz"
	"rescind/internal/admission"
)

type httpServing struct {
	server   *http.Server
	listener net.Listener
}

func (s httpServing) run() error {
	if s.server.TLSConfig != nil {
		return s.server.ServeTLS(s.listener, "", "")
	}
	return s.server.Serve(s.listener)
}

func (s httpServing) stop(ctx context.Context) error {
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.server.Close())
	}
	return err
}

// grpcGrace is longer than any call takes.
const grpcGrace = 2 * time.Second

type grpcServing struct {
	server   *grpc.Server
	listener net.Listener
}

func newGRPCServing(l net.Listener, api *httpapi.API, cert *certificate, calls *admission.Room, options ...grpc.ServerOption) grpcServing {
	if cert != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(cert.config())))
	}
	return grpcServing{extauthz.NewGRPCServer(api, calls, options...), l}
}

func (s grpcServing) run() error { return s.server.Serve(s.listener) }

// stop lets calls end, but not streams: those of health go on for ever.
func (s grpcServing) stop(ctx context.Context) error {
	stopped := make(chan struct{})
	go func() { defer close(stopped); s.server.GracefulStop() }()
	grace, cancel := context.WithTimeout(ctx, grpcGrace)
	defer cancel()
	select {
	case <-stopped:
	case <-grace.Done():
		s.server.Stop()
		<-stopped
	}
	return nil
}
