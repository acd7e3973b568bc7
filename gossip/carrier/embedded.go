package carrier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// EmbeddedConfig says where an embedded NATS server listens.
type EmbeddedConfig struct {
	// Listen is the host:port for clients; port 0 picks one, an empty host is
	// every interface. Empty: clients of this process only, through
	// InProcessConn.
	Listen string

	// AllowRemote permits an address other than loopback. The server asks
	// nobody who they are: sealed messages keep foreign ones harmless and ours
	// unread, but whoever reaches the port may use the server for their own
	// ends, or flood it.
	AllowRemote bool

	// StoreDir, if not empty, turns JetStream on, which keeps its streams there
	// and syncs every write before it answers. Clients know such a server by
	// SyncingServer.
	StoreDir string

	// Logger receives the server's notices at debug level, and its warnings at
	// a bounded rate. nil means slog.Default().
	Logger *slog.Logger
}

// SyncingServer is the name of an embedded server with JetStream.
const SyncingServer = "rescind-embedded-syncing"

// Embedded is a NATS server inside this process: core publish and subscribe,
// JetStream if asked for, no cluster routes and no signal handlers. It
// implements nats.InProcessConnProvider and is safe for concurrent use.
type Embedded struct {
	server  *server.Server
	url     string
	stop    context.CancelFunc
	running sync.WaitGroup // its log
}

// startTimeout bounds how long the server may take until it listens.
const startTimeout = 5 * time.Second

// StartEmbedded returns when the server accepts clients. The caller must
// Shutdown it, after the clients.
func StartEmbedded(cfg EmbeddedConfig) (*Embedded, error) {
	opts := &server.Options{
		ServerName: "rescind-embedded", DontListen: cfg.Listen == "",
		NoSigs: true, NoLog: true, NoSystemAccount: true,
		MaxPayload: MaxMessage, WriteDeadline: 2 * time.Second,
	}
	if cfg.StoreDir != "" {
		opts.ServerName = SyncingServer
		opts.JetStream, opts.StoreDir, opts.SyncAlways = true, cfg.StoreDir, true
	}
	if cfg.Listen != "" {
		bind, err := bindAddress("nats.embedded", cfg.Listen)
		if err != nil {
			return nil, err
		}
		if !bind.Addr().IsLoopback() && !cfg.AllowRemote {
			return nil, fmt.Errorf("nats.embedded %s is not a loopback address, and the server would let everybody in; allow it explicitly, or run a NATS server with authentication", bind)
		}
		// 0 would mean NATS's own default port.
		opts.Host, opts.Port = bind.Addr().String(), cmp.Or(int(bind.Port()), server.RANDOM_PORT)
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("nats.embedded %s: %w", cfg.Listen, err)
	}
	logs := newServerLog(cmp.Or(cfg.Logger, slog.Default()))
	s.SetLoggerV2(logs, false, false, false)
	s.Start()
	if err := awaitStart(s, logs); err != nil {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, fmt.Errorf("nats.embedded %s: %w", cfg.Listen, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	e := &Embedded{server: s, url: clientURL(s), stop: stop}
	e.running.Go(func() { logs.run(ctx) })
	return e, nil
}

// awaitStart returns as soon as the server is ready or has given up. It would
// go on "starting" without a port, and only its log says so.
func awaitStart(s *server.Server, logs *serverLog) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case problem := <-logs.fatal:
			return errors.New(problem)
		default:
		}
		if s.ReadyForConnections(time.Millisecond) {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("the server did not start within %v", startTimeout)
		}
	}
}

// clientURL names loopback where the server listens at every interface.
func clientURL(s *server.Server) string {
	addr, ok := s.Addr().(*net.TCPAddr)
	if !ok {
		return ""
	}
	ip := addr.AddrPort().Addr().Unmap()
	if ip.IsUnspecified() {
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return "nats://" + net.JoinHostPort(ip.String(), strconv.Itoa(addr.Port))
}

// ClientURL returns the URL for clients on this host, with the actual port, or
// "" if the server does not listen.
func (e *Embedded) ClientURL() string { return e.url }

// InProcessConn returns a new connection to the server. It fails after
// Shutdown.
func (e *Embedded) InProcessConn() (net.Conn, error) { return e.server.InProcessConn() }

// Shutdown disconnects every client and returns when the server has stopped. It
// may be called again.
func (e *Embedded) Shutdown() {
	e.server.Shutdown()
	e.server.WaitForShutdown()
	e.stop()
	e.running.Wait()
}
