package carrier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Bounds of what waits in the client for the handler, which never blocks.
const (
	pendingMessages = 1 << 16
	pendingBytes    = 64 << 20
)

// NATSConfig configures the NATS carrier.
type NATSConfig struct {
	Cluster   string // letters, digits, - and _; part of the subjects
	URL       string // one or more servers, separated by commas
	CredsFile string // NATS credentials; empty: none
	Name      string // shown by the server's monitoring
	Node      Node

	Handler Handler
	Logger  *slog.Logger // nil means slog.Default()
}

// NATS is the carrier over NATS core: one publish per message. The subjects are
// rescind.<cluster>.all and rescind.<cluster>.node.<16 hexadecimal digits>.
type NATS struct {
	cfg  NATSConfig
	log  *slog.Logger
	conn *nats.Conn
	tally
	once sync.Once
	gone chan struct{} // closed when the connection is
}

var clusterName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// NewNATS returns at once. The server need not be there: the client connects
// when it can, and again for ever. What is sent meanwhile is dropped and left
// to repair.
func NewNATS(cfg NATSConfig) (*NATS, error) {
	if !clusterName.MatchString(cfg.Cluster) {
		return nil, fmt.Errorf("cluster.name is %.80q; with NATS use up to 64 letters, digits, - and _", cfg.Cluster)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	c := &NATS{cfg: cfg, log: cfg.Logger.With("carrier", "nats"), gone: make(chan struct{})}
	options := []nats.Option{
		nats.Name("rescind " + cfg.Name),
		nats.NoEcho(),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(250*time.Millisecond, time.Second),
		nats.ReconnectBufSize(-1), // late news is repair's business
		nats.PingInterval(2 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.Timeout(2 * time.Second),
		nats.ConnectHandler(func(*nats.Conn) { c.log.Info("connected to NATS") }),
		nats.ReconnectHandler(func(*nats.Conn) { c.log.Info("reconnected to NATS") }),
		nats.DisconnectErrHandler(c.disconnected),
		nats.ErrorHandler(c.failed),
		nats.ClosedHandler(func(*nats.Conn) { close(c.gone) }),
	}
	if cfg.CredsFile != "" {
		options = append(options, nats.UserCredentials(cfg.CredsFile))
	}
	var err error
	if c.conn, err = nats.Connect(cfg.URL, options...); err != nil {
		return nil, fmt.Errorf("nats.url: %w", err)
	}
	for _, subject := range []string{c.all(), c.subject(cfg.Node)} {
		if err := c.subscribe(subject); err != nil {
			c.conn.Close()
			return nil, err
		}
	}
	return c, nil
}

func (c *NATS) subscribe(subject string) error {
	sub, err := c.conn.Subscribe(subject, func(m *nats.Msg) {
		c.received.Add(1)
		c.receivedBytes.Add(uint64(len(m.Data)))
		c.cfg.Handler("nats", m.Data)
	})
	if err == nil {
		err = sub.SetPendingLimits(pendingMessages, pendingBytes)
	}
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	return nil
}

func (c *NATS) all() string { return "rescind." + c.cfg.Cluster + ".all" }

func (c *NATS) subject(n Node) string {
	return fmt.Sprintf("rescind.%s.node.%016x", c.cfg.Cluster, uint64(n))
}

func (c *NATS) disconnected(_ *nats.Conn, err error) {
	if err != nil {
		c.log.Warn("lost NATS; what is missed is repaired", "error", err)
	}
}

func (c *NATS) failed(_ *nats.Conn, _ *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrSlowConsumer) {
		c.slow.Add(1)
	} else {
		c.errors.Add(1)
	}
	c.log.Debug("NATS client", "error", err)
}

// Name returns "nats".
func (*NATS) Name() string { return "nats" }

// Broadcast publishes msg to every other member.
func (c *NATS) Broadcast(msg []byte) { c.publish(c.all(), msg) }

// Send publishes msg to one member and reports whether it went to the server.
// Whether the member is there is not known.
func (c *NATS) Send(to Node, msg []byte) bool { return c.publish(c.subject(to), msg) }

func (c *NATS) publish(subject string, msg []byte) bool {
	if !c.conn.IsConnected() || int64(len(msg)) > c.conn.MaxPayload() {
		c.dropped.Add(1)
		return false
	}
	if err := c.conn.Publish(subject, msg); err != nil {
		c.errors.Add(1)
		return false
	}
	c.count(msg)
	return true
}

// Status returns what the carrier knows of itself.
func (c *NATS) Status() Status {
	s := c.status(c.Name())
	s.Connected = c.conn.IsConnected()
	return s
}

// Close sends what is buffered, as far as ctx allows, and closes the
// connection. It may be called again.
func (c *NATS) Close(ctx context.Context) error {
	c.once.Do(func() {
		if c.conn.IsConnected() {
			if err := c.flush(ctx); err != nil {
				c.log.Debug("closing NATS with messages unsent", "error", err)
			}
		}
		c.conn.Close()
		<-c.gone
	})
	return nil
}

// flushWithin bounds the last flush.
const flushWithin = time.Second

// flush sends what is buffered, as far as ctx and flushWithin allow.
func (c *NATS) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushWithin)
	defer cancel()
	return c.conn.FlushWithContext(ctx)
}
