package carrier

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"rescind/internal/natslogin"
	"rescind/internal/segments"
)

// link is what is known of the connection to the server. Its atomics can be
// read without waiting.
type link struct {
	mu         sync.Mutex // held while state is read from nats.go, so that the last word is the latest
	up         atomic.Bool
	maxPayload atomic.Int64           // of the server, in bytes
	server     atomic.Pointer[string] // host:port last connected to
	upSince    atomic.Int64           // Unix nanoseconds; it has a meaning while up
	refused    atomic.Bool            // the server has refused us a subject in this connection

	login         atomic.Pointer[string] // why the server and this node do not accept each other; nil: not known to be so
	loginsRefused atomic.Uint64
}

func (l *link) takes(size int) bool { return l.up.Load() && int64(size) <= l.maxPayload.Load() }

// refresh reads the state of the connection. A new one counts only after a round
// trip: by then the server has our subscriptions, and what others send arrives.
func (l *link) refresh(conn *nats.Conn) {
	if conn.IsConnected() {
		_ = conn.FlushTimeout(dialTimeout) // fails if the connection is lost again; nats.go will say so
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	up := conn.IsConnected()
	if up {
		l.maxPayload.Store(conn.MaxPayload())
		server := conn.ConnectedAddr() // not the URL: that may hold a token
		l.server.Store(&server)
	}
	if up && !l.up.Load() {
		l.upSince.Store(time.Now().UnixNano())
	}
	l.up.Store(up)
}

// listened is for how long a connection must have stood before hearing nobody by it
// says that nobody is there: several heartbeats.
const listened = 2 * time.Second

// quiet reports whether the connection hears everybody, and has for a while.
func (l *link) quiet() bool {
	return l.up.Load() && !l.refused.Load() && time.Since(time.Unix(0, l.upSince.Load())) > listened
}

const (
	dialTimeout = 2 * time.Second
	firstRedial = 250 * time.Millisecond
	maxRedial   = 2 * time.Second
)

// redialDelay is how long to wait after every server has been tried in vain
// tries times, give or take a fifth: the members of a cluster lose their server
// at the same moment and should not all return at the same moment.
func redialDelay(tries int) time.Duration {
	d := firstRedial << min(max(tries-1, 0), 8)
	d = min(d, maxRedial)
	return d*4/5 + rand.N(d*2/5+1)
}

func (n *NATS) options() []nats.Option {
	options := []nats.Option{
		nats.Name("rescind " + n.cfg.Name),
		nats.NoEcho(),
		nats.Timeout(dialTimeout),
		// By default nats.go gives up: at once, after two minutes, or when its
		// credentials were refused twice.
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
		nats.CustomReconnectDelay(redialDelay),
		// Repair delivers what was missed, and better than a burst of old news.
		nats.ReconnectBufSize(-1),
		// A dead link is noticed within seconds, not minutes.
		nats.PingInterval(2 * time.Second), nats.MaxPingsOutstanding(2),
		nats.FlusherTimeout(2 * time.Second), nats.ReconnectOnFlusherError(),
		nats.ConnectHandler(func(conn *nats.Conn) { n.linkChanged(conn, nil) }),
		nats.ReconnectHandler(func(conn *nats.Conn) {
			n.linkChanged(conn, nil)
			n.counters.reconnects.Add(1)
		}),
		nats.DisconnectErrHandler(n.linkChanged),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { n.problem(nil, nil, err) }),
		nats.ErrorHandler(n.problem),
		nats.ClosedHandler(func(*nats.Conn) { n.ended.Done() }),
	}
	return options
}

// identified adds to options who this node is, and to which server. The returned
// identity must be told of the connection.
func (n *NATS) identified(options []nats.Option) ([]nats.Option, *natslogin.Identity) {
	identity := n.cfg.Login.New()
	options = append(options, identity.Options(&net.Dialer{Timeout: dialTimeout, Control: segments.Narrow}, n.cfg.InProcess != nil)...)
	if n.cfg.InProcess != nil {
		options = append(options, nats.InProcessServer(n.cfg.InProcess))
	}
	return options, identity
}

// connect sets up the connection, which may come later, and the subscriptions,
// which nats.go repeats at every connection.
func (n *NATS) connect() error {
	n.ended.Add(1)
	options, identity := n.identified(n.options())
	conn, err := nats.Connect(n.cfg.URL, options...)
	if err != nil {
		return err
	}
	identity.Bind(conn)
	n.conn = conn
	for _, subject := range []string{subjectAll(n.cfg.Cluster), subjectNode(n.cfg.Cluster, n.cfg.Node)} {
		if err := n.subscribe(subject); err != nil {
			conn.Close()
			n.ended.Wait()
			return fmt.Errorf("subscribe to %s: %w", subject, err)
		}
	}
	n.link.refresh(conn) // the handler does too, but later
	return nil
}

func (n *NATS) subscribe(subject string) error {
	// nats.go allocates the data of every message anew: it is ours.
	sub, err := n.conn.Subscribe(subject, func(msg *nats.Msg) { n.receive(msg.Data) })
	if err != nil {
		return err
	}
	n.ended.Add(1)
	sub.SetClosedHandler(func(string) { n.ended.Done() })
	n.subsMu.Lock()
	n.subs = append(n.subs, sub)
	n.subsMu.Unlock()
	return sub.SetPendingLimits(cmp.Or(n.cfg.MaxPending, maxPending), maxPendingBytes)
}

func (n *NATS) receive(msg []byte) {
	if n.hearLoop(msg) {
		return
	}
	if !sendable(msg) {
		n.counters.fail(errTooLarge)
		return
	}
	n.gate.deliver(n.Name(), msg)
}

// linkChanged is called by nats.go when the connection was made or lost.
func (n *NATS) linkChanged(conn *nats.Conn, err error) {
	n.link.refresh(conn)
	if n.closing.Load() {
		return
	}
	if !n.link.up.Load() {
		n.link.refused.Store(false) // the next server may allow it
	}
	if n.link.up.Load() {
		n.link.login.Store(nil)
	}
	if err != nil {
		err = n.explain(err)
		n.counters.fail(err)
	}
	up, server := n.link.up.Load(), conn.ConnectedAddr()
	n.says.say(time.Now(), "connection", func(muted int) {
		if up {
			n.log.Info("nats: connected", "server", server, "muted", muted)
		} else {
			n.log.Warn("nats: disconnected; trying again", "error", describeError(err), "muted", muted)
		}
	})
	if n.cfg.OnChange != nil {
		n.cfg.OnChange()
	}
}

func describeError(err error) string {
	if err == nil {
		return "none given"
	}
	return redact(err.Error())
}

// problem is called by nats.go for what concerns no call of ours: a failed
// dial, a refused permission, a handler that is too slow.
func (n *NATS) problem(_ *nats.Conn, _ *nats.Subscription, err error) {
	if n.closing.Load() {
		return
	}
	if errors.Is(err, nats.ErrSlowConsumer) {
		n.overrun()
	}
	if errors.Is(err, nats.ErrPermissionViolation) {
		n.link.refused.Store(true)
	}
	err = n.explain(err)
	n.counters.fail(err)
	n.says.say(time.Now(), kindOf(err), func(muted int) {
		n.log.Warn("nats: trouble", "error", redact(err.Error()), "muted", muted)
	})
}

// kindOf tells apart what the log is told of.
func kindOf(err error) string {
	if _, refused := errors.AsType[*natslogin.RefusedError](err); refused {
		return "login"
	}
	for kind, one := range map[string]error{"permission": nats.ErrPermissionViolation, "slow": nats.ErrSlowConsumer} {
		if errors.Is(err, one) {
			return kind
		}
	}
	return "trouble"
}

// explain puts err into words, and notes if the server and this node do not accept
// each other.
func (n *NATS) explain(err error) error {
	err = n.cfg.Login.Explain(err)
	if refused, ok := errors.AsType[*natslogin.RefusedError](err); ok {
		text := redact(refused.Error())
		n.link.loginsRefused.Add(1)
		n.link.login.Store(&text)
	}
	return err
}

// renewed makes the connection anew with what the files of the login hold now.
func (n *NATS) renewed() {
	n.log.Info("nats: the files of the login have changed; connecting anew")
	if err := n.conn.ForceReconnect(); err != nil && !n.closing.Load() {
		n.counters.fail(err)
	}
}

// unusable tells that the files of the login have changed to what can't be used.
func (n *NATS) unusable(err error) {
	n.counters.fail(err)
	n.log.Error("nats: the files of the login have changed and can't be used; the connection stays as it is", "error", redact(err.Error()))
}

// overrun returns how many messages nats.go dropped because the handler was
// slow. A closed subscription no longer tells, hence the memory.
func (n *NATS) overrun() uint64 {
	n.subsMu.Lock()
	defer n.subsMu.Unlock()
	var sum uint64
	for _, sub := range n.subs {
		if dropped, err := sub.Dropped(); err == nil {
			sum += uint64(dropped)
		}
	}
	n.lost = max(n.lost, sum)
	return n.lost
}
