package httpapi

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// AdminCertificates makes operators of those who show a TLS client certificate.
type AdminCertificates struct {
	// Roots are the certificates of the authorities whose client certificates
	// count. Required.
	Roots []*x509.Certificate

	// Revoked are their lists of revoked certificates. With any, there must be one
	// of each root, and once one has passed its next update, certificates of its
	// issuer are refused. Empty means that none is revoked.
	Revoked []*x509.RevocationList

	// Names are who of them may use the admin endpoints: "uri:", "dns:" or "cn:"
	// followed by a subject alternative name or the common name, as a whole. The
	// entry is the name in the audit log. Required: an authority usually has
	// certified others, too.
	Names []string
}

// adminCertificates are AdminCertificates that are good. A nil one admits nobody.
type adminCertificates struct {
	pool    *x509.CertPool
	roots   []*x509.Certificate
	revoked map[string][]*x509.RevocationList // by the issuer, as the certificates write it
	names   []string
}

func newAdminCertificates(c *AdminCertificates) (*adminCertificates, error) {
	if c == nil {
		return nil, nil
	}
	ad := &adminCertificates{pool: x509.NewCertPool(), roots: c.Roots, names: c.Names, revoked: map[string][]*x509.RevocationList{}}
	if len(c.Roots) == 0 || len(c.Names) == 0 {
		return nil, errors.New("httpapi: Config.AdminCertificates needs Roots, and Names of those whom they may certify")
	}
	for _, name := range c.Names {
		if kind, rest, _ := strings.Cut(name, ":"); rest == "" || kind != "uri" && kind != "dns" && kind != "cn" {
			return nil, fmt.Errorf("httpapi: %.80q names nobody by certificate; use uri:, dns: or cn: and a name", name)
		}
	}
	for _, root := range c.Roots {
		if !root.IsCA || !root.BasicConstraintsValid || root.KeyUsage != 0 && root.KeyUsage&x509.KeyUsageCertSign == 0 {
			return nil, fmt.Errorf("httpapi: the certificate of %.80q is of no authority", root.Subject)
		}
		ad.pool.AddCert(root)
	}
	for _, list := range c.Revoked {
		if !slices.ContainsFunc(c.Roots, func(root *x509.Certificate) bool { return list.CheckSignatureFrom(root) == nil }) {
			return nil, fmt.Errorf("httpapi: the list of revoked certificates of %.80q is signed by none of the authorities", list.Issuer)
		}
		ad.revoked[string(list.RawIssuer)] = append(ad.revoked[string(list.RawIssuer)], list)
	}
	for _, root := range c.Roots {
		if len(c.Revoked) > 0 && ad.revoked[string(root.RawSubject)] == nil {
			return nil, fmt.Errorf("httpapi: there is no list of revoked certificates of %.80q", root.Subject)
		}
	}
	return ad, nil
}

var (
	errNoCertificate    = errors.New("httpapi: there is no client certificate")
	errOtherCertificate = errors.New("httpapi: the client certificate is of nobody who is named")
)

// who returns the operator that chain, as the client sent it, certifies at now. All
// is verified anew for each request: a connection may be older than a
// revocation, and a resumed one was not verified by the handshake.
func (ad *adminCertificates) who(chain []*x509.Certificate, now time.Time) (string, error) {
	if ad == nil || len(chain) == 0 {
		return "", errNoCertificate
	}
	if err := ad.verify(chain, now); err != nil {
		return "", err
	}
	for _, name := range ad.names {
		if bears(chain[0], name) {
			return name, nil
		}
	}
	return "", errOtherCertificate
}

func (ad *adminCertificates) verify(chain []*x509.Certificate, now time.Time) error {
	leaf, between := chain[0], x509.NewCertPool()
	if !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		return errors.New("httpapi: the client certificate is not for client authentication") // to crypto/x509 one without usages is for all
	}
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: ad.pool, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return fmt.Errorf("httpapi: the client certificate: %w", err)
	}
	for _, c := range chains {
		if err = ad.unrevoked(c, now); err == nil {
			return nil
		}
	}
	return err
}

// unrevoked looks at all of a chain but the root. An authority between has no list
// here, and what it certifies can't be vouched for.
func (ad *adminCertificates) unrevoked(chain []*x509.Certificate, now time.Time) error {
	if len(ad.revoked) == 0 {
		return nil
	}
	for _, c := range chain[:len(chain)-1] {
		lists := ad.revoked[string(c.RawIssuer)]
		if len(lists) == 0 {
			return errors.New("httpapi: there is no list of what the issuer of the client certificate has revoked")
		}
		for _, list := range lists {
			if !list.NextUpdate.IsZero() && now.After(list.NextUpdate) {
				return errors.New("httpapi: the list of revoked client certificates is out of date")
			}
			for _, entry := range list.RevokedCertificateEntries {
				if entry.SerialNumber.Cmp(c.SerialNumber) == 0 {
					return errors.New("httpapi: the client certificate is revoked")
				}
			}
		}
	}
	return nil
}

// bears reports whether c certifies a name of AdminCertificates.Names.
func bears(c *x509.Certificate, name string) bool {
	kind, rest, _ := strings.Cut(name, ":")
	switch kind {
	case "uri":
		for _, u := range c.URIs {
			if u.String() == rest {
				return true
			}
		}
	case "dns":
		return slices.ContainsFunc(c.DNSNames, func(dns string) bool { return strings.EqualFold(dns, rest) })
	case "cn":
		return c.Subject.CommonName == rest
	}
	return false
}

// crossOrigin keeps foreign pages from using the certificate that a browser shows
// by itself.
var crossOrigin = http.NewCrossOriginProtection()

// certified returns the operator whose certificate the connection of r shows.
func (t terms) certified(r *http.Request) (string, error) {
	if r.TLS == nil || !t.operators {
		return "", errNoCertificate
	}
	name, err := t.admins.certificates.who(r.TLS.PeerCertificates, time.Now())
	if err != nil {
		return "", err
	}
	return name, crossOrigin.Check(r)
}

// ServerTLS returns the TLS settings of a server of this API: base, which asks for
// client certificates while there are Config.AdminCertificates. Where only operators
// come, one that makes nobody an operator ends the handshake; elsewhere it just
// makes nobody one, since clients may have certificates for other ends.
func (a *API) ServerTLS(base *tls.Config, onlyOperators bool) *tls.Config {
	c := base.Clone()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		certificates := a.rules.Load().admins.certificates
		if certificates == nil {
			return nil, nil
		}
		asking := base.Clone()
		asking.ClientAuth, asking.ClientCAs = tls.RequestClientCert, certificates.pool
		if onlyOperators {
			asking.VerifyConnection = func(s tls.ConnectionState) error {
				if len(s.PeerCertificates) == 0 {
					return nil
				}
				_, err := certificates.who(s.PeerCertificates, time.Now())
				return err
			}
		}
		return asking, nil
	}
	return c
}
