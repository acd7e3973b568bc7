package natslogin

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
)

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCheck: what can't be right is refused under the name of its setting, and without
// the content of any file.
func TestCheck(t *testing.T) {
	const secret = "hunter2"
	good := file(t, secret+"\n")
	for name, c := range map[string]struct {
		login Login
		url   string
		want  string
	}{
		"two ways":          {Login{TokenFile: good, User: "u", PasswordFile: good}, "", "nats.token-file and nats.user are both set"},
		"a user in the URL": {Login{TokenFile: good}, "nats://u:hunter2@h", "nats.token-file is set and nats.url holds a user"},
		"no password":       {Login{User: "u"}, "", "nats.user and nats.password-file go together"},
		"no user":           {Login{PasswordFile: good}, "", "nats.user and nats.password-file go together"},
		"no key":            {Login{CertFile: good}, "", "nats.tls-cert-file and nats.tls-key-file go together"},
		"no such file":      {Login{TokenFile: "/does/not/exist"}, "", "nats.token-file: open /does/not/exist"},
		"two lines":         {Login{TokenFile: file(t, secret+"\n"+secret)}, "", "nats.token-file: the file must hold one line"},
		"nothing":           {Login{User: "u", PasswordFile: file(t, "\n")}, "", "nats.password-file: the file must hold one line"},
		"no credentials":    {Login{CredsFile: good}, "", "nats.creds-file: the file must hold a user's JWT and seed"},
		"no seed":           {Login{NKeyFile: good}, "", "nats.nkey-file: the file must hold the seed"},
		"no authority":      {Login{CAFile: good}, "", "nats.tls-ca-file: the file holds no certificate"},
		"no certificate":    {Login{CertFile: good, KeyFile: good}, "", "nats.tls-cert-file and nats.tls-key-file: "},
		"larger than 1 MiB": {Login{TokenFile: file(t, strings.Repeat("x", maxFile+1))}, "", "nats.token-file: the file is larger"},
		"right":             {Login{User: "u", PasswordFile: good}, "nats://h", ""},
	} {
		err := c.login.Check(c.url)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestExplain: errors of a login name the setting to change, and a connection that
// ends at once says what that usually is.
func TestExplain(t *testing.T) {
	login := Login{User: "u", PasswordFile: "p"}
	for name, c := range map[string]struct {
		err     error
		login   Login
		want    string
		refused bool
	}{
		"wrong":           {nats.ErrAuthorization, login, "nats.user and nats.password-file", true},
		"nothing":         {nats.ErrAuthorization, Login{}, "nothing is configured", true},
		"expired":         {nats.ErrAuthExpired, Login{CredsFile: "c"}, "nats.creds-file have expired", true},
		"revoked":         {nats.ErrAuthRevoked, Login{CredsFile: "c"}, "revoked", true},
		"the account":     {nats.ErrAccountAuthExpired, Login{CredsFile: "c"}, "account", true},
		"authority":       {fmt.Errorf("tls: %w", x509.UnknownAuthorityError{}), Login{}, "nats.tls-ca-file", true},
		"no certificate":  {errors.New("remote error: tls: certificate required"), Login{}, "set nats.tls-cert-file", true},
		"bad certificate": {errors.New("remote error: tls: bad certificate"), Login{CertFile: "c"}, "refuses the client certificate", true},
		"full":            {nats.ErrMaxConnectionsExceeded, login, "max_connections", false},
		"full account":    {nats.ErrMaxAccountConnectionsExceeded, login, "max_connections", false},
		"broken pipe":     {fmt.Errorf("write tcp: %w", syscall.EPIPE), login, "max_connections", false},
		"reset":           {fmt.Errorf("read tcp: %w", syscall.ECONNRESET), login, "max_connections", false},
		"end":             {io.EOF, login, "max_connections", false},
		"another":         {nats.ErrTimeout, login, "timeout", false},
	} {
		err := c.login.Explain(c.err)
		_, refused := errors.AsType[*RefusedError](err)
		if refused != c.refused || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if !refused && !errors.Is(err, c.err) {
			t.Errorf("%s: %v hides the error", name, err)
		}
	}
	if err := (Login{}).Explain(nil); err != nil {
		t.Error(err)
	}
}
