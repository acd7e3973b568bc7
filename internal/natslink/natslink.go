// Package natslink is a connection to NATS servers for requests that must be
// answered: JetStream's. It dials for ever, and never keeps a request for
// later, since that would arrive long after its caller was told that nobody
// knows.
package natslink

import (
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"rescind/internal/segments"
)

// Config says whom to connect to.
type Config struct {
	URL       string // the servers, separated by commas
	CredsFile string // NATS credentials; empty: none
	Name      string // what for, shown in the servers' monitoring

	// Logger receives what goes wrong, at debug level.
	Logger *slog.Logger
}

// Link is a connection that may not be there at the moment.
type Link struct {
	*nats.Conn
	ended    sync.WaitGroup // nats.go's last call of us
	attempts attempts
}

// Dial returns before there is a connection, and fails only for settings that
// can't work. The caller must Close it.
func Dial(cfg Config) (*Link, error) {
	l := &Link{}
	options := []nats.Option{
		nats.Name(cfg.Name),
		nats.Timeout(2 * time.Second),
		nats.SetCustomDialer(&net.Dialer{Timeout: 2 * time.Second, Control: segments.Narrow}),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
		nats.ReconnectWait(250 * time.Millisecond), nats.ReconnectJitter(100*time.Millisecond, 100*time.Millisecond),
		nats.ReconnectBufSize(-1), // see the package comment
		nats.PingInterval(2 * time.Second), nats.MaxPingsOutstanding(2),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			cfg.Logger.Debug("NATS connection for "+cfg.Name, "error", err)
			l.denied(err)
		}),
		nats.ClosedHandler(func(*nats.Conn) { l.ended.Done() }),
	}
	if cfg.CredsFile != "" {
		options = append(options, nats.UserCredentials(cfg.CredsFile))
	}
	l.ended.Add(1)
	conn, err := nats.Connect(cfg.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	l.Conn = conn
	return l, nil
}

// Close ends the connection. Requests that are under way fail.
func (l *Link) Close() {
	l.Conn.Close()
	l.ended.Wait()
}
