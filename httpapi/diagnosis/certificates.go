package diagnosis

import (
	"fmt"
	"time"
)

// Certificate says until when what a setting names is good: a certificate, an authority
// or a list of revoked ones.
type Certificate struct {
	Setting         string // that names the file
	Issued, Expires time.Time
}

// warnBefore is how long before its end a certificate is a problem; of one that lives
// shorter than six weeks a third of its life, since it is made anew all the time.
const warnBefore = 14 * 24 * time.Hour

// Expired and Soon report whether it is out of date at now, or will be before long.
func (c Certificate) Expired(now time.Time) bool { return !now.Before(c.Expires) }

// Soon is described at Expired.
func (c Certificate) Soon(now time.Time) bool {
	return c.Expires.Sub(now) < min(warnBefore, c.Expires.Sub(c.Issued)/3)
}

// What the end of each file does, by its setting.
var (
	expiredMeans = map[string]string{
		"http.tls-cert-file":    "Clients that check certificates can't connect to this node: neither services that ask it, nor operators.",
		"admin.client-ca-file":  "Operators whose certificate is of that authority are not let in.",
		"admin.client-crl-file": "A list that is out of date lets nobody in: no operator gets in by certificate.",
	}
	otherMeans = "What it is for is refused."
)

// certificates is about what expires.
func certificates(v View) (found []Problem) {
	for _, c := range v.Certificates {
		if !c.Soon(v.Now) {
			continue
		}
		means, ok := expiredMeans[c.Setting]
		if !ok {
			means = otherMeans
		}
		p := Problem{"certificate-expires", Warning, fmt.Sprintf("What %s names is good for %s more, until %s.", c.Setting, round(c.Expires.Sub(v.Now)), c.Expires.UTC().Format(time.RFC3339)),
			"After that: " + means, "Renew the file. It is read again when it changes; this takes no restart."}
		if c.Expired(v.Now) {
			p.Name, p.Severity, p.Meaning = "certificate-expired", Critical, means
			p.What = fmt.Sprintf("What %s names is out of date since %s.", c.Setting, c.Expires.UTC().Format(time.RFC3339))
		}
		found = append(found, p)
	}
	return found
}
