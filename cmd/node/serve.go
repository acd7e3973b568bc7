package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"rescind/cluster"
	"rescind/cmd/node/config"
	"rescind/cmd/node/tracing"
	"rescind/httpapi"
	"rescind/internal/admission"
	"rescind/token"
)

// runServe runs one node until ctx ends.
func runServe(ctx context.Context, e env) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // first of all: later, one would end the process while it starts
	defer signal.Stop(hangup)
	cfg, err := loadConfig(e)
	if err != nil {
		return err
	}
	level := new(slog.LevelVar)
	level.Set(cfg.Log.Level)
	log := newLogger(e.stderr, cfg.Log.Format, level)
	room, err := memoryOf(cfg)
	if err != nil {
		return err
	}
	room.log(cfg, log)
	rooms := newRooms(cfg, room, log)
	listeners, err := listen(cfg, rooms)
	if err != nil {
		return err
	}
	f, err := newServing(cfg, func() (*config.Config, error) { return loadConfig(e) }, listeners, log, level)
	if err != nil {
		return errors.Join(err, listeners.close())
	}
	if os.Getenv("GOMAXPROCS") == "" {
		// An fsync keeps one of Go's processors, for up to 10 ms where the process is
		// idle otherwise. Checks shall not wait for it, least of all where there is
		// only one.
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
	log.Info("serving", "http", listeners.http.Addr().String(), "gossip", f.node.GossipAddr(), "version", buildVersion())
	return f.run(ctx, func() time.Duration { return f.reloader.config().Shutdown.Delay }, hangup)
}

func loadConfig(e env) (*config.Config, error) {
	cfg, err := config.Loader{Args: e.args, Environ: os.Environ(), Output: e.stderr, CgroupMemory: admission.CgroupMemory}.Load()
	var problems *config.Error
	if errors.As(err, &problems) {
		return nil, &exitError{exitUsage, err}
	}
	return cfg, err
}

func newLogger(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// newServing starts the node of cfg and its face. load reads the settings again.
func newServing(cfg *config.Config, load func() (*config.Config, error), l listeners, log *slog.Logger, level *slog.LevelVar) (*face, error) {
	key, err := cfg.ClusterKey()
	if err != nil {
		return nil, err
	}
	transport, err := cfg.TransportKeys()
	if err != nil {
		return nil, err
	}
	api, err := apiConfig(cfg)
	if err != nil {
		return nil, err
	}
	cert, err := loadCertificate(cfg.HTTP.CertFile, cfg.HTTP.KeyFile)
	if err != nil {
		return nil, err
	}
	room, err := memoryOf(cfg)
	if err != nil {
		return nil, err
	}
	room.keepTo()
	api.Rooms = l.rooms.stats
	valid := &expiries{log: log}
	valid.follow(cfg)
	api.Certificates = valid.list
	l.rooms.trust(cfg.HTTP.TrustedProxies)
	traces, err := openTraces(cfg, log)
	if err != nil {
		return nil, err
	}
	own := clusterConfig(cfg, room, key, log)
	if own.Gossip != nil {
		own.Gossip.MaxStreamBytes = l.rooms.gossipBytes()
	}
	own.TransportKeys = transport
	n, err := cluster.Start(own)
	if err != nil {
		return nil, err
	}
	v, err := newVerifier(cfg, n, log)
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	told, err := startTransmitting(cfg, api, log)
	if err != nil {
		v.Close()
		return nil, errors.Join(err, n.Close())
	}
	if told != nil {
		api.Transmitter = told.Transmitter
	}
	var settings *reloader
	api.Settings = func() httpapi.SettingsStatus { return settings.status() }
	f, err := newFace(n, faceConfig{listener: l.http, admin: l.admin, grpc: l.grpc, rooms: l.rooms, expiries: valid, cert: cert, verifier: v, api: api, traces: traces, log: log})
	var startPolls func()
	if err == nil {
		startPolls, err = f.events.prepare(cfg, f.api, log)
	}
	if err != nil {
		v.Close()
		return nil, errors.Join(err, n.Close(), told.close())
	}
	f.told = told
	f.hosts.follow(cfg)
	settings = newReloader(cfg, load, log, f.units(level))
	f.reloader = settings
	startPolls()
	return f, nil
}

// apiConfig is what cfg and the files that it names say of the HTTP face.
func apiConfig(cfg *config.Config) (httpapi.Config, error) {
	admin, err := cfg.AdminToken()
	if err != nil {
		return httpapi.Config{}, err
	}
	admins, err := readList[httpapi.Admin]("admin.tokens-file", cfg.Admin.TokensFile)
	if err != nil {
		return httpapi.Config{}, err
	}
	clients, err := readList[httpapi.Client]("oauth.clients-file", cfg.OAuth.ClientsFile)
	if err != nil {
		return httpapi.Config{}, err
	}
	certificates, err := adminCertificates(cfg)
	if err != nil {
		return httpapi.Config{}, err
	}
	c := httpapi.Config{
		Issuer: onlyIssuer(cfg), AdminToken: admin, Admins: admins, AdminCertificates: certificates, Clients: clients, MaxLifetime: cfg.Tokens.MaxLifetime,
		TrustedProxies: cfg.HTTP.TrustedProxies, ClientRate: float64(cfg.HTTP.ClientRate), AnonymousRate: anonymousRate(cfg), AdminRate: float64(cfg.Admin.Rate),
		AdminScope: cfg.Admin.Scope,
	}
	c.LogoutAudience = logoutAudience(cfg.Tokens.Issuers)
	c.EmailIsSubject, c.EventAudience = cfg.Events.Email == "subject", map[string][]string{}
	c.EventSubjects = map[string][]string{}
	for _, i := range cfg.Tokens.Issuers {
		if len(i.EventsAudience) > 0 {
			c.EventAudience[i.Issuer], c.EventSubjects[i.Issuer] = i.EventsAudience, i.EventsSubjects
		}
	}
	if (cfg.OAuth.KeyFile == "") != (cfg.OAuth.Issuer == "") {
		return c, errors.New("oauth.issuer and oauth.key-file go together; set both or none")
	}
	if cfg.OAuth.KeyFile != "" {
		keys, err := token.LoadKeySet(cfg.OAuth.KeyFile)
		if err != nil {
			return c, fmt.Errorf("oauth.key-file: %w", err)
		}
		c.Signer, c.Name, c.JWKS = keys, cfg.OAuth.Issuer, keys.JWKS
	}
	c.StatusTTL = cfg.OAuth.StatusListTTL
	for k, i := range cfg.Tokens.Issuers {
		if len(i.PublishStatus) > 0 && c.Signer == nil {
			return c, fmt.Errorf("tokens.issuers[%d].publish-status: set oauth.issuer and oauth.key-file, which name and sign the list", k)
		}
		for _, name := range i.PublishStatus {
			c.StatusLists = append(c.StatusLists, httpapi.StatusList{Name: name, Size: cfg.OAuth.StatusListSize})
		}
	}
	return c, nil
}

// openTraces returns nil if there are to be none.
func openTraces(cfg *config.Config, log *slog.Logger) (*tracing.Tracer, error) {
	if cfg.Tracing.OTLPEndpoint == "" {
		return nil, nil
	}
	return tracing.Open(cfg.Tracing.OTLPEndpoint, cfg.Node.Name, buildVersion(), log)
}

func clusterConfig(cfg *config.Config, room memory, key []byte, log *slog.Logger) cluster.Config {
	c := cluster.Config{
		Cluster: cfg.Cluster.Name, Name: cfg.Node.Name, Key: key, DataDir: cfg.Data.Dir,
		JoinTimeout: cfg.Cluster.JoinTimeout, ForgetAfter: cfg.Cluster.ForgetAfter,
		Members: cfg.Cluster.Members, Bootstrap: cfg.Cluster.Bootstrap,
		MaxLifetime: cfg.Tokens.MaxLifetime, Logger: log,
	}.With(policyOf(cfg, room))
	c.RevokeDoubleUsed = cfg.OneTime.OnDoubleUse == "end-session"
	if cfg.OneTime.Strict {
		c.OneTime = &cluster.OneTime{
			Buckets: cfg.OneTime.Buckets, Replicas: cfg.OneTime.Replicas, DangerouslyAssumeSync: cfg.OneTime.DangerouslyAssumeSync,
		}
	}
	if cfg.Store.Kind == "jetstream" {
		c.SharedLog = &cluster.SharedLog{
			Stream: cfg.Store.Stream, Domain: cfg.Store.Domain, Replicas: cfg.Store.Replicas, MaxBytes: cfg.Store.MaxBytes, DangerouslyAssumeSync: cfg.Store.DangerouslyAssumeSync,
		}
	}
	if cfg.Gossip.Bind != "" {
		c.Gossip = &cluster.Gossip{Bind: cfg.Gossip.Bind, Advertise: cfg.Gossip.Advertise, Join: cfg.Gossip.Join, Regional: cfg.Gossip.Regional}
	}
	if cfg.NATS.URL != "" || cfg.NATS.Embedded != "" {
		c.NATS = natsOf(cfg.NATS)
	}
	return c
}

func newVerifier(cfg *config.Config, n *cluster.Node, log *slog.Logger) (*token.Verifier, error) {
	issuers, err := issuerConfigs(cfg)
	if err != nil {
		return nil, err
	}
	if len(issuers) == 0 {
		log.Warn("tokens.issuers is empty: every token is refused")
	}
	leeway := cfg.Tokens.Leeway
	if leeway == 0 {
		leeway = -1 // to the verifier 0 means its default
	}
	v, err := token.NewVerifier(context.Background(), token.VerifierConfig{
		Issuers: issuers, Checker: n, Leeway: leeway, MaxLifetime: cfg.Tokens.MaxLifetime, Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("tokens.issuers: %w", err)
	}
	return v, nil
}

func onlyIssuer(cfg *config.Config) string {
	if len(cfg.Tokens.Issuers) == 1 {
		return cfg.Tokens.Issuers[0].Issuer
	}
	return ""
}

// logoutAudience leaves out issuers with no audience at all: a logout token that
// was meant for another client must not count here.
func logoutAudience(issuers []config.Issuer) map[string][]string {
	audience := map[string][]string{}
	for _, i := range issuers {
		switch {
		case len(i.LogoutAudience) > 0:
			audience[i.Issuer] = i.LogoutAudience
		case len(i.Audience) > 0:
			audience[i.Issuer] = i.Audience
		}
	}
	return audience
}

func natsOf(n config.NATS) *cluster.NATS {
	return &cluster.NATS{
		URL: n.URL, Embed: n.Embedded,
		CredsFile: n.CredsFile, NKeyFile: n.NKeyFile, TokenFile: n.TokenFile, User: n.User, PasswordFile: n.PasswordFile,
		CAFile: n.CAFile, CertFile: n.CertFile, KeyFile: n.KeyFile,
	}
}
