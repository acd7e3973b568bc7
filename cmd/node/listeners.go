package main

import (
	"errors"
	"fmt"
	"net"

	"rescind/cmd/node/config"
	"rescind/internal/admission"
)

// listeners are what the settings open to others; all but http may be nil.
type listeners struct {
	http, admin, grpc net.Listener
	rooms             *rooms // nil: no bounds
}

func listen(cfg *config.Config, r *rooms) (l listeners, err error) {
	l.rooms = r
	for _, one := range []struct {
		key, addr string
		listener  *net.Listener
		room      *admission.Room
	}{{"http.addr", cfg.HTTP.Addr, &l.http, r.http}, {"admin.addr", cfg.Admin.Addr, &l.admin, r.admin}, {"grpc.addr", cfg.GRPC.Addr, &l.grpc, r.grpc}} {
		if one.addr == "" {
			continue
		}
		if *one.listener, err = net.Listen("tcp", one.addr); err != nil {
			return l, errors.Join(fmt.Errorf("%s: %w", one.key, err), l.close())
		}
		*one.listener = one.room.Listener(*one.listener)
	}
	return l, nil
}

func (l listeners) close() (err error) {
	for _, one := range []net.Listener{l.http, l.admin, l.grpc} {
		if one != nil {
			err = errors.Join(err, one.Close())
		}
	}
	return err
}
