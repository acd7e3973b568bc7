package sharedlog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"rescind/internal/natslink"
)

// Errors that say why the servers can't hold the stream. They pass once an
// operator has changed something, so they are waited for.
var (
	// ErrDenied: the NATS user may not do what a node must; the text names the
	// subject.
	ErrDenied = errors.New("permissions are missing")

	// ErrRefused: the server and this node do not accept each other's credentials.
	ErrRefused = errors.New("no connection to NATS")

	// ErrTooOld: the server lacks what the stream needs.
	ErrTooOld = errors.New("the NATS server is too old")

	// ErrOff: JetStream is not to be had there.
	ErrOff = errors.New("JetStream is off")

	// ErrQuota: the account may not hold a stream of that size.
	ErrQuota = errors.New("the quota of the NATS account is too small")
)

// oldest is the earliest version of servers that is supported.
var oldest = [2]int{2, 11}

// attempt bounds one request, and ends it when a subject that contains one of
// these words is denied.
func (l *Log) attempt(ctx context.Context, about string) (context.Context, context.CancelFunc) {
	return l.link.Attempt(ctx, attemptTimeout, about)
}

// cause returns why a request failed, as one of the errors above if it is one.
func (l *Log) cause(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if refused := l.refused(); refused != nil {
		return refused
	}
	err = natslink.Cause(ctx, err)
	var denied *natslink.DeniedError
	var api *jetstream.APIError
	switch {
	case errors.As(err, &denied):
		return fmt.Errorf("%w: %w", ErrDenied, err)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("%w for the account of this node's NATS user; enable it there", ErrOff)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%w at the NATS server %s%s; enable it (jetstream {}), or set store.domain if it is in a domain behind a leaf node (%w)", ErrOff, l.link.ConnectedServerName(), l.inDomain(), err)
	case errors.As(err, &api):
		return refusal(api)
	}
	return err
}

// refused is an ErrRefused while the server and this node do not accept each other.
func (l *Log) refused() error {
	if why := l.link.Refused(); why != nil {
		return fmt.Errorf("%w: %w", ErrRefused, why)
	}
	return nil
}

func (l *Log) inDomain() string {
	if l.cfg.Domain == "" {
		return ""
	}
	return ", in the domain " + l.cfg.Domain
}

// The codes of JetStream's answers that are told apart.
const (
	codeAccountResources jetstream.ErrorCode = 10002
	codeNoPeers          jetstream.ErrorCode = 10005
	codeResources        jetstream.ErrorCode = 10023
	codeStreams          jetstream.ErrorCode = 10027
	codeStorage          jetstream.ErrorCode = 10047
	codeReplicas         jetstream.ErrorCode = 10074
	codeStoreFailed      jetstream.ErrorCode = 10077
	codeBytesRequired    jetstream.ErrorCode = 10113
	codeBytesLimit       jetstream.ErrorCode = 10122
)

// refusal tells what JetStream's answers mean.
func refusal(api *jetstream.APIError) error {
	switch api.ErrorCode {
	case codeStoreFailed:
		return fmt.Errorf("%w (%s)", ErrFull, api.Description)
	case codeAccountResources, codeStorage, codeBytesRequired, codeBytesLimit, codeResources:
		return fmt.Errorf("%w: %s; raise it, or lower store.max-bytes", ErrQuota, api.Description)
	case codeStreams:
		return fmt.Errorf("%w: %s; it must allow one stream more", ErrQuota, api.Description)
	case codeNoPeers, codeReplicas:
		return fmt.Errorf("%w: %s; store.replicas needs as many servers with JetStream and room for store.max-bytes", ErrQuota, api.Description)
	}
	return api
}

// checkVersion refuses a server that would take the order to make a stream and
// leave out what it does not know.
func (l *Log) checkVersion() error {
	version := l.link.ConnectedServerVersion()
	major, minor, ok := versionOf(version)
	if ok && (major < oldest[0] || major == oldest[0] && minor < oldest[1]) {
		return fmt.Errorf("%w: it is NATS %.40s; use %d.%d or later", ErrTooOld, version, oldest[0], oldest[1])
	}
	return nil
}

func versionOf(text string) (major, minor int, ok bool) {
	parts := strings.SplitN(strings.TrimPrefix(text, "v"), ".", 3)
	if len(parts) < 2 {
		return 0, 0, false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return major, minor, err1 == nil && err2 == nil
}

// checkAccount refuses an account that has no room for the stream. Who may not
// ask goes on: the order to make it will tell.
func (l *Log) checkAccount(ctx context.Context) error {
	ctx, cancel := l.attempt(ctx, "$JS.API.INFO")
	defer cancel()
	account, err := l.js.AccountInfo(ctx)
	if err != nil {
		err = l.cause(ctx, err)
		if errors.Is(err, ErrDenied) {
			return nil
		}
		return err
	}
	for name, tier := range account.Tiers {
		if name == fmt.Sprint("R", l.cfg.Replicas) {
			account.Tier = tier
		}
	}
	most, used := account.Limits.MaxStore, account.ReservedStore
	if need := uint64(l.cfg.MaxBytes); most >= 0 && used+need > uint64(most) {
		return fmt.Errorf("%w: it may hold %d bytes, of which %d are taken, and store.max-bytes is %d; raise the one or lower the other", ErrQuota, most, used, need)
	}
	if n := account.Limits.MaxStreams; n >= 0 && account.Streams >= n {
		return fmt.Errorf("%w: it may hold %d streams and does", ErrQuota, n)
	}
	return nil
}
