// Package natslink is a connection to NATS servers for requests that must be
// answered: JetStream's. It dials for ever, and never keeps a request for
// later, since that would arrive long after its caller was told that nobody
// knows.
package natslink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"rescind/internal/natslogin"
	"rescind/internal/segments"
)

// Config says whom to connect to.
type Config struct {
	URL   string          // the servers, separated by commas
	Login natslogin.Login // who this node is there, and which servers it believes
	Name  string          // what for, shown in the servers' monitoring

	// Logger receives what goes wrong, at debug level, and that the login is refused.
	Logger *slog.Logger
}

// Link is a connection that may not be there at the moment.
type Link struct {
	*nats.Conn
	cfg      Config
	ended    sync.WaitGroup // nats.go's last call of us
	attempts attempts
	refused  atomic.Pointer[natslogin.RefusedError]

	stop    context.CancelFunc
	running sync.WaitGroup // who follows the files
}

// Dial returns before there is a connection, and fails only for settings that
// can't work. The caller must Close it.
func Dial(cfg Config) (*Link, error) {
	if err := cfg.Login.Check(cfg.URL); err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	l := &Link{cfg: cfg}
	identity := cfg.Login.New()
	options := append([]nats.Option{
		nats.Name(cfg.Name),
		nats.Timeout(2 * time.Second),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
		nats.ReconnectWait(250 * time.Millisecond), nats.ReconnectJitter(100*time.Millisecond, 100*time.Millisecond),
		nats.ReconnectBufSize(-1), // see the package comment
		nats.PingInterval(2 * time.Second), nats.MaxPingsOutstanding(2),
		nats.ConnectHandler(func(*nats.Conn) { l.accepted() }),
		nats.ReconnectHandler(func(*nats.Conn) { l.accepted() }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { l.problem(err) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { l.problem(err) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			l.problem(err)
			l.denied(err)
		}),
		nats.ClosedHandler(func(*nats.Conn) { l.ended.Done() }),
	}, identity.Options(&net.Dialer{Timeout: 2 * time.Second, Control: segments.Narrow}, false)...)
	l.ended.Add(1)
	conn, err := nats.Connect(cfg.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	identity.Bind(conn)
	l.Conn = conn
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.running.Go(func() { cfg.Login.Follow(ctx, l.renewed, l.unusable) })
	return l, nil
}

// Refused says why the server and this node do not accept each other's
// credentials, or nil if that is not known to be so.
func (l *Link) Refused() error {
	if r := l.refused.Load(); r != nil {
		return r
	}
	return nil
}

func (l *Link) accepted() {
	if l.refused.Swap(nil) != nil {
		l.cfg.Logger.Info("the NATS server accepts this node again", "for", l.cfg.Name)
	}
}

// problem notes what goes wrong with the connection. That the login is refused is
// told once, until it is accepted or the reason is another one.
func (l *Link) problem(err error) {
	if err == nil {
		return
	}
	err = l.cfg.Login.Explain(err)
	l.cfg.Logger.Debug("NATS connection for "+l.cfg.Name, "error", err)
	refused, ok := errors.AsType[*natslogin.RefusedError](err)
	if !ok {
		return
	}
	if before := l.refused.Swap(refused); before == nil || before.Why != refused.Why {
		l.cfg.Logger.Warn("no connection to NATS for "+l.cfg.Name, "error", refused)
	}
}

// renewed makes the connection anew with what the files of the login hold now.
func (l *Link) renewed() {
	if err := l.Conn.ForceReconnect(); err != nil {
		l.cfg.Logger.Debug("NATS connection for "+l.cfg.Name, "error", err)
	}
}

func (l *Link) unusable(err error) {
	l.cfg.Logger.Error("the files of the login at NATS have changed and can't be used; the connection stays as it is", "for", l.cfg.Name, "error", err)
}

// Close ends the connection. Requests that are under way fail.
func (l *Link) Close() {
	l.stop()
	l.running.Wait()
	l.Conn.Close()
	l.ended.Wait()
}
