package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"

	"rescind/cluster"
	"rescind/cmd/node/config"
	"rescind/token"
)

// runServe runs one node until ctx ends.
func runServe(ctx context.Context, e env) error {
	cfg, err := loadConfig(e)
	if err != nil {
		return err
	}
	log := newLogger(e.stderr, cfg)
	collectOften()
	listener, err := net.Listen("tcp", cfg.HTTP.Addr)
	if err != nil {
		return fmt.Errorf("http.addr: %w", err)
	}
	f, err := newServing(cfg, listener, log)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	log.Info("serving", "http", listener.Addr().String(), "gossip", f.node.GossipAddr(), "version", buildVersion())
	var reloading sync.WaitGroup
	defer reloading.Wait()
	serving, stop := context.WithCancel(ctx)
	defer stop()
	reloading.Go(func() { reloadIssuers(serving, e, f.verifier, log) })
	return f.run(ctx, cfg.Shutdown.Delay)
}

// collectOften lets the garbage collector run when the heap has grown by half
// instead of doubled. Nearly all of a node's memory is tables without pointers,
// which a collection passes over: it costs 2 ms with 100 M revocations, and
// the process needs that much less room to grow.
func collectOften() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(50)
	}
}

func loadConfig(e env) (*config.Config, error) {
	cfg, err := config.Loader{Args: e.args, Environ: os.Environ(), Output: e.stderr}.Load()
	var problems *config.Error
	if errors.As(err, &problems) {
		return nil, &exitError{exitUsage, err}
	}
	return cfg, err
}

func newLogger(w io.Writer, cfg *config.Config) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.Log.Level}
	if cfg.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// newServing starts the node of cfg and its face.
func newServing(cfg *config.Config, l net.Listener, log *slog.Logger) (*face, error) {
	key, err := cfg.ClusterKey()
	if err != nil {
		return nil, err
	}
	admin, err := cfg.AdminToken()
	if err != nil {
		return nil, err
	}
	n, err := cluster.Start(clusterConfig(cfg, key, log))
	if err != nil {
		return nil, err
	}
	v, err := newVerifier(cfg, n, log)
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	f, err := newFace(n, faceConfig{
		listener: l, verifier: v, issuer: onlyIssuer(cfg), adminToken: admin,
		maxLifetime: cfg.Tokens.MaxLifetime, log: log,
	})
	if err != nil {
		v.Close()
		return nil, errors.Join(err, n.Close())
	}
	return f, nil
}

func clusterConfig(cfg *config.Config, key []byte, log *slog.Logger) cluster.Config {
	c := cluster.Config{
		Cluster: cfg.Cluster.Name, Name: cfg.Node.Name, Key: key, DataDir: cfg.Data.Dir,
		JoinTimeout: cfg.Cluster.JoinTimeout, ForgetAfter: cfg.Cluster.ForgetAfter,
		MaxLifetime: cfg.Tokens.MaxLifetime, MaxRevocations: cfg.Revocations.Max, Ack: cfg.Revocations.Ack,
		RefuseIsolated: cfg.Revocations.Isolated == "refuse",
		RejectStale:    cfg.Checks.OnStale == "reject", MaxStaleness: cfg.Checks.MaxStaleness,
		VersionWait: cfg.Checks.VersionWait,
		Logger:      log,
	}
	c.RevokeDoubleUsed = cfg.OneTime.OnDoubleUse == "end-session"
	if cfg.OneTime.Strict {
		c.OneTime = &cluster.OneTime{
			Buckets: cfg.OneTime.Buckets, Replicas: cfg.OneTime.Replicas, DangerouslyAssumeSync: cfg.OneTime.DangerouslyAssumeSync,
		}
	}
	if cfg.Gossip.Bind != "" {
		c.Gossip = &cluster.Gossip{Bind: cfg.Gossip.Bind, Advertise: cfg.Gossip.Advertise, Join: cfg.Gossip.Join}
	}
	if cfg.NATS.URL != "" || cfg.NATS.Embedded != "" {
		c.NATS = &cluster.NATS{URL: cfg.NATS.URL, CredsFile: cfg.NATS.CredsFile, Embed: cfg.NATS.Embedded}
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

// runConfig checks or prints the settings of serve, without starting anything.
func runConfig(_ context.Context, e env) error {
	if len(e.args) == 0 || e.args[0] != "check" && e.args[0] != "print" {
		return usage("config: use 'config check' or 'config print', followed by the flags of serve")
	}
	print := e.args[0] == "print"
	e.args = e.args[1:]
	cfg, err := loadConfig(e)
	if err != nil {
		return err
	}
	if _, err := cfg.ClusterKey(); err != nil {
		return &exitError{exitUsage, err}
	}
	if _, err := cfg.AdminToken(); err != nil {
		return &exitError{exitUsage, err}
	}
	if print {
		return cfg.Print(e.stdout)
	}
	fmt.Fprintln(e.stderr, "rescind: the settings are good")
	return nil
}
