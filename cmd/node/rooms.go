package main

import (
	"log/slog"
	"net/netip"
	"slices"

	"rescind/cmd/node/config"
	"rescind/internal/admission"
)

// rooms are what strangers may take of a node, by what it opens to them. Those that
// are not opened are nil, and so have no bound.
type rooms struct {
	http, admin, grpc, requests, calls *admission.Room
	gossip                             int64 // bytes
}

// newRooms shares out what the process may open and take.
func newRooms(c *config.Config, m memory, log *slog.Logger) *rooms {
	uses := admission.Uses{Admin: c.Admin.Addr != "", GRPC: c.GRPC.Addr != "", Gossip: c.Gossip.Bind != ""}
	plan := admission.PlanFor(admission.Process{Files: admission.Files(), Memory: m.clients}, uses)
	r := &rooms{
		http:     admission.NewRoom("connections to http.addr", plan.HTTP, log),
		requests: admission.NewRoom("requests of HTTP/2", plan.Requests, log),
		gossip:   plan.GossipBytes,
	}
	if uses.Admin {
		r.admin = admission.NewRoom("connections to admin.addr", plan.Admin, log)
	}
	if uses.GRPC {
		r.grpc = admission.NewRoom("connections to grpc.addr", plan.GRPC, log)
		r.calls = admission.NewRoom("calls of gRPC without a message", plan.Calls, log)
	}
	log.Debug("what clients may take", "http", plan.HTTP, "admin", plan.Admin, "grpc", plan.GRPC, "requests", plan.Requests, "calls", plan.Calls, "gossip_bytes", plan.GossipBytes)
	return r
}

func (r *rooms) all() []*admission.Room {
	if r == nil {
		return nil
	}
	return slices.DeleteFunc([]*admission.Room{r.http, r.admin, r.grpc, r.requests, r.calls}, func(one *admission.Room) bool { return one == nil })
}

// trust says which proxies have many clients behind one address.
func (r *rooms) trust(proxies []netip.Prefix) {
	known := func(a netip.Addr) bool {
		return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	for _, one := range r.all() {
		one.SetKnown(known)
	}
}

// stats are for metrics.
func (r *rooms) stats() (all []admission.Stats) {
	for _, one := range r.all() {
		all = append(all, one.Stats())
	}
	return all
}

func (r *rooms) ofRequests() *admission.Room {
	if r == nil {
		return nil
	}
	return r.requests
}

func (r *rooms) ofCalls() *admission.Room {
	if r == nil {
		return nil
	}
	return r.calls
}

// gossipBytes is 0 where there is no bound but the transport's own.
func (r *rooms) gossipBytes() int64 {
	if r == nil {
		return 0
	}
	return r.gossip
}
