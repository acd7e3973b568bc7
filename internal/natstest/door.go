package natstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"rescind/internal/natslogin"
)

// Wrong is a generation that no Door accepts.
const Wrong = 99

// Door is a NATS server that lets one user in, in one way, and the files by which a
// client shows that it is that user.
type Door struct {
	Name   string
	Server *server.Server
	Login  natslogin.Login

	// Write puts the secret of a generation into the files, Accept has the server
	// accept that one and no other. Both begin at 1.
	Write, Accept func(generation int)

	// Secret is what no text may hold of that generation.
	Secret func(generation int) string
}

// URL is where clients connect to.
func (d *Door) URL() string { return d.Server.ClientURL() }

// Doors starts one server for each way to log in. change, if not nil, adds to the
// options of each, without what is about users.
func Doors(t testing.TB, change func(*server.Options)) []*Door {
	t.Helper()
	return []*Door{
		plainDoor(t, "user and password", change, func(dir string) natslogin.Login {
			return natslogin.Login{User: "node", PasswordFile: filepath.Join(dir, "secret")}
		}, func(o *server.Options, secret string) {
			o.Users = []*server.User{{Username: "node", Password: secret}}
		}),
		plainDoor(t, "token", change, func(dir string) natslogin.Login {
			return natslogin.Login{TokenFile: filepath.Join(dir, "secret")}
		}, func(o *server.Options, secret string) { o.Authorization = secret }),
		nkeyDoor(t, change), CredsDoor(t, 0, change), certDoor(t, change),
	}
}

// open starts the server of a door, and has accept change its options.
func (d *Door) open(t testing.TB, change func(*server.Options), accept func(o *server.Options, generation int)) {
	t.Helper()
	dir := t.TempDir()
	options := func(generation int) *server.Options {
		o := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, NoSystemAccount: true}
		if change != nil {
			change(o)
		}
		if o.JetStream {
			o.StoreDir = dir
		}
		accept(o, generation)
		return o
	}
	d.Server = start(t, options(1))
	addr := d.Server.Addr().(*net.TCPAddr)
	d.Accept = func(generation int) {
		o := options(generation)
		o.Port = addr.Port
		if err := d.Server.ReloadOptions(o); err != nil {
			t.Error(err)
		}
	}
	d.Write(1)
}

func start(t testing.TB, o *server.Options) *server.Server {
	t.Helper()
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("the NATS server does not start")
	}
	return s
}

func write(t testing.TB, path, text string) {
	t.Helper()
	// Renamed into place, so that nobody reads half of it.
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Error(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Error(err)
	}
}

func plainDoor(t testing.TB, name string, change func(*server.Options), login func(dir string) natslogin.Login, accept func(*server.Options, string)) *Door {
	dir := t.TempDir()
	d := &Door{Name: name, Login: login(dir), Secret: func(g int) string { return fmt.Sprintf("hunter%d-%s", g, "s3cret") }}
	d.Write = func(g int) { write(t, filepath.Join(dir, "secret"), d.Secret(g)+"\n") }
	d.open(t, change, func(o *server.Options, g int) { accept(o, d.Secret(g)) })
	return d
}

// keys makes the key pairs of a role, one for each generation.
func keys(t testing.TB, prefix nkeys.PrefixByte) func(generation int) (pair nkeys.KeyPair, public, seed string) {
	made := map[int]nkeys.KeyPair{}
	return func(g int) (nkeys.KeyPair, string, string) {
		if made[g] == nil {
			pair, err := nkeys.CreatePair(prefix)
			if err != nil {
				t.Fatal(err)
			}
			made[g] = pair
		}
		public, err1 := made[g].PublicKey()
		seed, err2 := made[g].Seed()
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		return made[g], public, string(seed)
	}
}

func nkeyDoor(t testing.TB, change func(*server.Options)) *Door {
	file := filepath.Join(t.TempDir(), "user.nk")
	users := keys(t, nkeys.PrefixByteUser)
	d := &Door{Name: "nkey", Login: natslogin.Login{NKeyFile: file}, Secret: func(g int) string { _, _, seed := users(g); return seed }}
	d.Write = func(g int) { write(t, file, d.Secret(g)) }
	d.open(t, change, func(o *server.Options, g int) {
		_, public, _ := users(g)
		o.Nkeys = []*server.NkeyUser{{Nkey: public}}
	})
	return d
}

// CredsDoor is a server in operator mode. A generation's JWT is valid for lifetime
// from when it is written, or for ever if that is 0; Accept revokes those before.
func CredsDoor(t testing.TB, lifetime time.Duration, change func(*server.Options)) *Door {
	t.Helper()
	file := filepath.Join(t.TempDir(), "user.creds")
	operator, operatorPublic, _ := keys(t, nkeys.PrefixByteOperator)(0)
	accounts := keys(t, nkeys.PrefixByteAccount)
	account, accountPublic, _ := accounts(0)
	stranger, _, _ := accounts(Wrong)
	users := keys(t, nkeys.PrefixByteUser)
	d := &Door{Name: "credentials", Login: natslogin.Login{CredsFile: file}, Secret: func(g int) string { _, _, seed := users(g); return seed }}
	d.Write = func(g int) {
		_, public, seed := users(g)
		claims := jwt.NewUserClaims(public)
		if lifetime > 0 {
			claims.Expires = time.Now().Add(lifetime).Unix()
		}
		signer := account
		if g == Wrong {
			signer = stranger
		}
		token, err1 := claims.Encode(signer)
		creds, err2 := jwt.FormatUserConfig(token, []byte(seed))
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		write(t, file, string(creds))
	}
	claims := jwt.NewAccountClaims(accountPublic)
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	encoded := func() string {
		token, err := claims.Encode(operator)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	_, systemPublic, _ := accounts(1) // JetStream asks for one
	system, err := jwt.NewAccountClaims(systemPublic).Encode(operator)
	if err != nil {
		t.Fatal(err)
	}
	resolver := &server.MemAccResolver{}
	if err := errors.Join(resolver.Store(accountPublic, encoded()), resolver.Store(systemPublic, system)); err != nil {
		t.Fatal(err)
	}
	d.open(t, change, func(o *server.Options, _ int) {
		o.TrustedKeys, o.AccountResolver, o.SystemAccount, o.NoSystemAccount = []string{operatorPublic}, resolver, systemPublic, false
	})
	accepted := 1
	d.Accept = func(g int) {
		for ; accepted < g; accepted++ {
			_, public, _ := users(accepted)
			claims.Revoke(public)
		}
		if err := resolver.Store(accountPublic, encoded()); err != nil {
			t.Fatal(err)
		}
		held, err := d.Server.LookupAccount(accountPublic)
		if err != nil {
			t.Fatal(err)
		}
		d.Server.UpdateAccountClaims(held, claims)
	}
	return d
}

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t testing.TB) *authority {
	a := &authority{}
	a.cert, a.key, a.pem, _ = a.issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority of a test"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// issue signs a certificate; an authority that has none yet, its own.
func (a *authority) issue(t testing.TB, template *x509.Certificate) (cert *x509.Certificate, key *ecdsa.PrivateKey, certPEM, keyPEM string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err1 := x509.ParseCertificate(der)
	b, err2 := x509.MarshalPKCS8PrivateKey(key)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return cert, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b}))
}

// certDoor is a server with a certificate of a private authority, which knows its
// users by the client certificates of another one.
func certDoor(t testing.TB, change func(*server.Options)) *Door {
	dir := t.TempDir()
	servers, clients := newAuthority(t), newAuthority(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	d := &Door{Name: "client certificate", Login: natslogin.Login{CAFile: in("ca.pem"), CertFile: in("cert.pem"), KeyFile: in("key.pem")}}
	write(t, in("ca.pem"), servers.pem)
	made := map[int]string{}
	d.Secret = func(g int) string { return made[g] }
	d.Write = func(g int) {
		_, _, cert, key := clients.issue(t, &x509.Certificate{
			Subject: pkix.Name{CommonName: fmt.Sprint("node-", g)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
			EmailAddresses: []string{fmt.Sprintf("node-%d@test", g)},
		})
		made[g] = key
		write(t, in("cert.pem"), cert)
		write(t, in("key.pem"), key)
	}
	_, serverKey, serverPEM, _ := servers.issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "nats"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	block, _ := pem.Decode([]byte(serverPEM))
	pool := x509.NewCertPool()
	pool.AddCert(clients.cert)
	d.open(t, change, func(o *server.Options, g int) {
		o.TLS, o.TLSVerify, o.TLSMap, o.TLSTimeout = true, true, true, 5
		o.TLSConfig = &tls.Config{
			MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
			Certificates: []tls.Certificate{{Certificate: [][]byte{block.Bytes}, PrivateKey: serverKey}},
		}
		o.Users = []*server.User{{Username: fmt.Sprintf("node-%d@test", g)}}
	})
	return d
}
