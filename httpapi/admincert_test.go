package httpapi

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// authority certifies clients.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  crypto.Signer
}

var serial int64 // of the last certificate; tests that make some are not parallel

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{t: t, key: newKey(t)}
	a.cert = a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		SubjectKeyId: []byte(name),
	}, a.key.Public())
	return a
}

func (a *authority) sign(c *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
	a.t.Helper()
	serial++
	c.SerialNumber = big.NewInt(serial)
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(time.Hour)
	}
	c.NotBefore = c.NotAfter.Add(-2 * time.Hour)
	parent := a.cert
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, public, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return signed
}

// client returns a certificate for alice, changed as told.
func (a *authority) client(change ...func(*x509.Certificate)) tls.Certificate {
	key := newKey(a.t)
	c := &x509.Certificate{Subject: pkix.Name{CommonName: "alice"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, f := range change {
		f(c)
	}
	signed := a.sign(c, key.Public())
	return tls.Certificate{Certificate: [][]byte{signed.Raw}, PrivateKey: key, Leaf: signed}
}

// revoked returns a list of these certificates, good until next.
func (a *authority) revoked(next time.Time, gone ...tls.Certificate) *x509.RevocationList {
	a.t.Helper()
	serial++
	template := &x509.RevocationList{Number: big.NewInt(serial), ThisUpdate: next.Add(-2 * time.Hour), NextUpdate: next}
	for _, c := range gone {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.Leaf.SerialNumber, RevocationTime: template.ThisUpdate})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, a.cert, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return list
}

// tlsServer serves h by HTTP/2 and 1.1 as ServerTLS says.
func tlsServer(t *testing.T, r *rig, h http.Handler, onlyOperators bool) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.StartTLS() // makes a certificate
	s.Close()
	certificate := s.TLS.Certificates
	s = httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = r.api.ServerTLS(&tls.Config{Certificates: certificate, NextProtos: []string{"h2", "http/1.1"}}, onlyOperators)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// showing returns a client that shows these certificates.
func showing(s *httptest.Server, http2 bool, shown ...tls.Certificate) *http.Client {
	c := s.Client()
	transport := c.Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.NextProtos = nil
	if len(shown) > 0 { // also to who asks for others
		transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &shown[0], nil }
	}
	if transport.ForceAttemptHTTP2 = http2; !http2 {
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetHTTP1(true)
	}
	return &http.Client{Transport: transport}
}

// asked returns the status of an answer, and 0 if the handshake or what follows it
// fails.
func asked(t *testing.T, c *http.Client, method, url string, headers ...string) int {
	t.Helper()
	body := ""
	if method == http.MethodPost {
		body = `{"scope":"jti","id":"x"}`
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if want := map[bool]int{true: 2, false: 1}[c.Transport.(*http.Transport).ForceAttemptHTTP2]; resp.ProtoMajor != want {
		t.Errorf("the answer comes by %s", resp.Proto)
	}
	return resp.StatusCode
}

func spiffe(c *x509.Certificate) {
	c.URIs = []*url.URL{{Scheme: "spiffe", Host: "example", Path: "/ops"}}
}

func TestAdminsByCertificate(t *testing.T) {
	ours, others := newAuthority(t, "ours"), newAuthority(t, "others")
	between := &authority{t: t, key: newKey(t)}
	between.cert = ours.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "between"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, between.key.Public())
	chained := between.client()
	chained.Certificate = append(chained.Certificate, between.cert.Raw)
	gone := ours.client()
	base := Config{}
	r := newRig(t, func(c *Config) {
		c.AdminToken = nil
		c.AdminCertificates = &AdminCertificates{Roots: []*x509.Certificate{ours.cert}, Names: []string{"cn:alice", "uri:spiffe://example/ops", "dns:ops.example"}}
		base = *c
	})
	admin, shared := tlsServer(t, r, r.api.AdminHandler(), true), tlsServer(t, r, r.api.Handler(), false)
	plain := func(c *x509.Certificate) { c.Subject.CommonName = "bob" }
	for name, c := range map[string]struct {
		cert   tls.Certificate
		caller string // "": refused
	}{
		"by common name":      {ours.client(), "cn:alice"},
		"by URI":              {ours.client(plain, spiffe), "uri:spiffe://example/ops"},
		"by DNS name":         {ours.client(plain, func(c *x509.Certificate) { c.DNSNames = []string{"OPS.example"} }), "dns:ops.example"},
		"by an intermediate":  {chained, "cn:alice"},
		"nobody named":        {ours.client(plain), ""},
		"a name in a name":    {ours.client(func(c *x509.Certificate) { c.Subject.CommonName = "alice2" }), ""},
		"a name of a kind":    {ours.client(plain, func(c *x509.Certificate) { c.DNSNames = []string{"alice"} }), ""},
		"expired":             {ours.client(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), ""},
		"not yet valid":       {ours.client(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(3 * time.Hour) }), ""},
		"another authority":   {others.client(), ""},
		"for servers":         {ours.client(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), ""},
		"for nothing special": {ours.client(func(c *x509.Certificate) { c.ExtKeyUsage = nil }), ""},
	} {
		for _, http2 := range []bool{true, false} {
			r.log.reset()
			got := asked(t, showing(admin, http2, c.cert), "POST", admin.URL+"/v1/revocations")
			if c.caller != "" && (got != 201 || !strings.Contains(r.log.String(), `"caller":"`+c.caller+`"`)) || c.caller == "" && got != 0 {
				t.Errorf("%s: %d at the admin listener, HTTP/2 %v: %s", name, got, http2, r.log)
			}
			want := 401
			if c.caller != "" {
				want = 201
			}
			other := showing(shared, http2, c.cert)
			if got := asked(t, other, "POST", shared.URL+"/v1/revocations"); got != want {
				t.Errorf("%s: %d at the shared listener, want %d", name, got, want)
			}
			if got := asked(t, other, "GET", shared.URL+"/v1/check", "Authorization", "Bearer "+access(t, "jti", "checked")); got != 200 {
				t.Errorf("%s: a check is answered by %d", name, got)
			}
		}
	}
	if got := asked(t, showing(admin, true), "GET", admin.URL+"/v1/cluster"); got != 401 {
		t.Errorf("without a certificate: %d", got)
	}
	alice := showing(admin, true, ours.client())
	for site, want := range map[string]int{"cross-site": 401, "same-site": 401, "same-origin": 201, "none": 201} {
		if got := asked(t, alice, "POST", admin.URL+"/v1/revocations", "Sec-Fetch-Site", site); got != want {
			t.Errorf("a browser that says %s: %d, want %d", site, got, want)
		}
	}
	if got := asked(t, alice, "POST", admin.URL+"/v1/revocations", "Authorization", "Bearer wrong-token-0123456789"); got != 201 {
		t.Errorf("with a token that is none beside a good certificate: %d", got)
	}

	// A connection that lives outlives no revocation.
	keep := showing(admin, true, gone)
	set := func(f func(*AdminCertificates)) {
		t.Helper()
		next := *base.AdminCertificates
		f(&next)
		base.AdminCertificates = &next
		if err := r.api.Reconfigure(base); err != nil {
			t.Fatal(err)
		}
	}
	if got := asked(t, keep, "GET", admin.URL+"/v1/cluster"); got != 200 {
		t.Fatal(got)
	}
	set(func(c *AdminCertificates) {
		c.Revoked = []*x509.RevocationList{ours.revoked(time.Now().Add(time.Hour), gone)}
	})
	if got := asked(t, keep, "GET", admin.URL+"/v1/cluster"); got != 401 {
		t.Errorf("revoked, by an open connection: %d", got)
	}
	if got := asked(t, showing(admin, true, gone), "GET", admin.URL+"/v1/cluster"); got != 0 {
		t.Errorf("revoked: %d", got)
	}
	if got := asked(t, showing(admin, true, ours.client()), "GET", admin.URL+"/v1/cluster"); got != 200 {
		t.Errorf("another than the revoked one: %d", got)
	}
	if got := asked(t, showing(admin, true, chained), "GET", admin.URL+"/v1/cluster"); got != 0 {
		t.Errorf("by an intermediate whose list is not there: %d", got)
	}
	set(func(c *AdminCertificates) {
		c.Revoked = []*x509.RevocationList{ours.revoked(time.Now().Add(-time.Minute))}
	})
	if got := asked(t, alice, "GET", admin.URL+"/v1/cluster"); got != 401 {
		t.Errorf("with a list that is out of date: %d", got)
	}
	set(func(c *AdminCertificates) { c.Revoked, c.Names = nil, []string{"cn:bob"} })
	if got := asked(t, alice, "GET", admin.URL+"/v1/cluster"); got != 401 {
		t.Errorf("no longer named: %d", got)
	}
	set(func(c *AdminCertificates) { c.Roots, c.Names = []*x509.Certificate{others.cert}, []string{"cn:alice"} })
	if got := asked(t, showing(admin, true, others.client()), "GET", admin.URL+"/v1/cluster"); got != 200 {
		t.Errorf("an authority that was added: %d", got)
	}
	base.AdminCertificates = nil
	if err := r.api.Reconfigure(base); err != nil {
		t.Fatal(err)
	}
	if got := asked(t, showing(admin, true, others.client()), "GET", admin.URL+"/v1/cluster"); got != 401 {
		t.Errorf("once no certificate counts: %d", got)
	}
}

// A resumed session shows the certificate again, and it is judged anew.
func TestResumedSessionsAreJudgedAnew(t *testing.T) {
	ours := newAuthority(t, "ours")
	gone := ours.client()
	base := Config{}
	r := newRig(t, func(c *Config) {
		c.AdminCertificates = &AdminCertificates{Roots: []*x509.Certificate{ours.cert}, Names: []string{"cn:alice"}}
		base = *c
	})
	s := tlsServer(t, r, r.api.Handler(), false)
	c := showing(s, false, gone)
	transport := c.Transport.(*http.Transport)
	transport.TLSClientConfig.ClientSessionCache, transport.DisableKeepAlives = tls.NewLRUClientSessionCache(8), true
	resumed := func() (status int, again bool) {
		resp, err := c.Get(s.URL + "/v1/cluster")
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return resp.StatusCode, resp.TLS.DidResume
	}
	resumed()
	if status, again := resumed(); status != 200 || !again {
		t.Fatalf("%d, resumed %v", status, again)
	}
	base.AdminCertificates.Revoked = []*x509.RevocationList{ours.revoked(time.Now().Add(time.Hour), gone)}
	if err := r.api.Reconfigure(base); err != nil {
		t.Fatal(err)
	}
	if status, _ := resumed(); status != 401 {
		t.Errorf("revoked, by a resumed session: %d", status)
	}
}

// Introspection and the use of tokens take operators by certificate, too, where
// operators are taken at all.
func TestCertificatesElsewhere(t *testing.T) {
	ours := newAuthority(t, "ours")
	r := newRig(t, withClients(t), func(c *Config) {
		c.AdminCertificates = &AdminCertificates{Roots: []*x509.Certificate{ours.cert}, Names: []string{"cn:alice"}}
	})
	state := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{ours.client().Leaf}}
	introspect := func(h http.Handler) int {
		req := newReq(t, "POST", "/oauth2/introspect", "token="+access(t), "application/x-www-form-urlencoded")
		req.TLS = state
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		return rec.Code
	}
	if got := introspect(r.api.AdminHandler()); got != 200 {
		t.Errorf("at the admin listener: %d", got)
	}
	if got := introspect(r.api.PublicHandler()); got != 401 {
		t.Errorf("at the public listener: %d", got)
	}
}

func TestAdminCertificatesThatCannotBe(t *testing.T) {
	ours, others := newAuthority(t, "ours"), newAuthority(t, "others")
	roots, names := []*x509.Certificate{ours.cert}, []string{"cn:a"}
	for name, c := range map[string]AdminCertificates{
		"no roots":         {Names: names},
		"no names":         {Roots: roots},
		"a bare name":      {Roots: roots, Names: []string{"alice"}},
		"an empty name":    {Roots: roots, Names: []string{"cn:"}},
		"no authority":     {Roots: []*x509.Certificate{ours.client().Leaf}, Names: names},
		"a foreign list":   {Roots: roots, Names: names, Revoked: []*x509.RevocationList{others.revoked(time.Now())}},
		"a list too few":   {Roots: []*x509.Certificate{ours.cert, others.cert}, Names: names, Revoked: []*x509.RevocationList{ours.revoked(time.Now())}},
		"a list and a few": {Roots: roots, Names: names, Revoked: []*x509.RevocationList{ours.revoked(time.Now()), others.revoked(time.Now())}},
	} {
		if _, err := newAdminCertificates(&c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
