package natslogin

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/nats-io/nats.go"
)

// RefusedError says why a server and this node do not accept each other, in words
// that name what to change.
type RefusedError struct{ Why string }

func (e *RefusedError) Error() string { return e.Why }

// Explain returns a *RefusedError for an error that comes of the login, words for
// one of a server without room, and else err.
func (l Login) Explain(err error) error {
	if err == nil {
		return nil
	}
	if why := l.refusal(err); why != "" {
		return &RefusedError{Why: why}
	}
	switch {
	case errors.Is(err, nats.ErrMaxConnectionsExceeded), errors.Is(err, nats.ErrMaxAccountConnectionsExceeded):
		return fmt.Errorf("the NATS server takes no more connections; raise max_connections of the server or the account: %w", err)
	case l.CAFile != "" && l.CertFile == "" && (errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)):
		// A server that misses a client certificate says so and closes; its words may be lost.
		return fmt.Errorf("the NATS server ends the connection before it has answered, as it does when it asks for a client "+
			"certificate (set nats.tls-cert-file and nats.tls-key-file), or when max_connections of the server or the account is reached: %w", err)
	case errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF):
		return fmt.Errorf("the NATS server ends the connection before it has answered, as it does when max_connections of the server or the account is reached, or what listens there is not NATS: %w", err)
	}
	return err
}

func (l Login) refusal(err error) string {
	switch {
	case errors.Is(err, nats.ErrAuthExpired):
		return "the NATS server says that the credentials in " + l.name() + " have expired; renew them, the file is read again within seconds"
	case errors.Is(err, nats.ErrAccountAuthExpired):
		return "the NATS server says that the account of this node's user has expired; renew the account's JWT there"
	case errors.Is(err, nats.ErrAuthRevoked):
		return "the NATS server says that the credentials in " + l.name() + " have been revoked; put new ones there, the file is read again within seconds"
	case errors.Is(err, nats.ErrAuthorization) && l.name() == "":
		return "the NATS server asks who this node is, and nothing is configured; set nats.creds-file, nats.nkey-file, nats.token-file, nats.user and nats.password-file, or nats.tls-cert-file"
	case errors.Is(err, nats.ErrAuthorization):
		return "the NATS server refuses the credentials in " + l.name() + ": they are wrong there, expired or revoked; a changed file is read again within seconds"
	case errors.Is(err, nats.ErrSecureConnWanted):
		return "nats.tls-ca-file, nats.tls-cert-file or nats.url asks for TLS, and the NATS server has none; nothing is sent to it"
	}
	return l.tlsRefusal(err)
}

func (l Login) tlsRefusal(err error) string {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &authority):
		return "the NATS server's certificate is of an authority that this node does not trust; set nats.tls-ca-file to the certificate of that authority"
	case errors.As(err, &host):
		return fmt.Sprintf("the NATS server's certificate is not for the name in nats.url (%v)", host)
	case errors.As(err, &invalid):
		return fmt.Sprintf("the NATS server's certificate can't be accepted (%v)", invalid)
	}
	text := err.Error()
	if !strings.Contains(text, "remote error: tls:") {
		return ""
	}
	if l.CertFile == "" {
		return fmt.Sprintf("the NATS server asks for a client certificate (%s); set nats.tls-cert-file and nats.tls-key-file", text)
	}
	return fmt.Sprintf("the NATS server refuses the client certificate in nats.tls-cert-file (%s)", text)
}

// name is the setting that holds the credentials, or "".
func (l Login) name() string {
	for _, w := range l.ways() {
		switch {
		case w.value == "":
		case w.setting == "nats.user":
			return "nats.user and nats.password-file"
		default:
			return w.setting
		}
	}
	if l.CertFile != "" {
		return "nats.tls-cert-file"
	}
	return ""
}
