package carrier

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// EmbeddedConfig configures a NATS server inside this process.
type EmbeddedConfig struct {
	Listen string // host:port; port 0 picks one

	// AllowRemote permits addresses other than loopback. The server asks nobody
	// who they are: sealed messages can't be read or forged by others, but
	// whoever reaches the port may use the server, or flood it.
	AllowRemote bool

	Logger *slog.Logger // nil means slog.Default()
}

// Embedded is a NATS server in this process, core only.
type Embedded struct{ server *server.Server }

// StartEmbedded returns when the server accepts clients.
func StartEmbedded(cfg EmbeddedConfig) (*Embedded, error) {
	host, port, err := splitAddress(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("nats.embedded: %w", err)
	}
	if !cfg.AllowRemote && !net.ParseIP(host).IsLoopback() {
		return nil, fmt.Errorf("nats.embedded is %s; without a cluster key only loopback addresses are allowed", cfg.Listen)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	s, err := server.NewServer(&server.Options{
		ServerName: "rescind", Host: host, Port: port,
		NoSigs: true, NoLog: true, MaxPayload: 1 << 20,
		WriteDeadline: 2 * time.Second,
	})
	if err != nil {
		return nil, fmt.Errorf("nats.embedded: %w", err)
	}
	s.SetLoggerV2(serverLog{log: cfg.Logger}, false, false, false)
	s.Start()
	if !s.ReadyForConnections(5 * time.Second) {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, fmt.Errorf("nats.embedded: can't listen on %s; is the port in use?", cfg.Listen)
	}
	return &Embedded{s}, nil
}

// ClientURL returns where clients connect to.
func (e *Embedded) ClientURL() string { return e.server.ClientURL() }

// Shutdown stops the server and waits until it has.
func (e *Embedded) Shutdown() {
	e.server.Shutdown()
	e.server.WaitForShutdown()
}

// serverLog passes the server's words on, for debugging.
type serverLog struct{ log *slog.Logger }

func (l serverLog) write(level slog.Level, f string, v ...any) {
	if l.log != nil {
		l.log.Log(context.Background(), level, "nats-server: "+fmt.Sprintf(f, v...))
	}
}

func (l serverLog) Noticef(f string, v ...any) { l.write(slog.LevelDebug, f, v...) }
func (l serverLog) Warnf(f string, v ...any)   { l.write(slog.LevelDebug, f, v...) }
func (l serverLog) Errorf(f string, v ...any)  { l.write(slog.LevelWarn, f, v...) }
func (l serverLog) Debugf(f string, v ...any)  { l.write(slog.LevelDebug, f, v...) }
func (l serverLog) Tracef(f string, v ...any)  { l.write(slog.LevelDebug, f, v...) }

// Fatalf must not end the embedding process; the caller learns of it by
// ReadyForConnections.
func (l serverLog) Fatalf(f string, v ...any) { l.write(slog.LevelError, f, v...) }
