package httpapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"rescind"
	"rescind/internal/problem"
	"rescind/token"
	"rescind/token/statuslist"
)

// StatusList is a Token Status List that an API publishes: the entries that were
// revoked by the reference of a token (draft-ietf-oauth-status-list-20). Whoever
// issues the tokens allots the entries. See token.IssuerConfig.PublishedLists.
type StatusList struct {
	// Name is the last part of its URI: 1 to 64 letters, digits, -, _ and dots, not at the
	// beginning.
	Name string

	// Size is how many entries it has: a multiple of 8 up to MaxStatusListSize.
	Size int
}

// MaxStatusListSize bounds StatusList.Size.
const MaxStatusListSize = 1 << 24

// DefaultStatusTTL is the default of Config.StatusTTL.
const DefaultStatusTTL = time.Minute

const (
	statusPrefix = "/statuslists/"
	statusPath   = statusPrefix + "{name}"

	mediaTypeStatusList = "application/" + token.TypeStatusList

	// statusTTLs is for how many times its ttl a list may be relied upon: readers
	// get over a failure of that length.
	statusTTLs = 10
)

// StatusListURI returns the URI of the list called name at a service whose
// Config.Name is base.
func StatusListURI(base, name string) string {
	return strings.TrimSuffix(base, "/") + statusPrefix + name
}

// published is a list and what was last made of it.
type published struct {
	publication

	mu   sync.Mutex // held while the list is made, so that it is made once
	last *statusDocument
}

// statusDocument is a signed list, also compressed. It is immutable.
type statusDocument struct {
	raw, zipped []byte
	etag        string // of raw, without quotes
	made        time.Time
}

// publication is what a list is.
type publication struct {
	uri, issuer string
	size        int
	ttl         time.Duration
}

// entriesASecond bounds what making a list may take: each entry is a check, some
// 0.1 us, so a tenth of one processor.
const entriesASecond = 1 << 20

var statusListName = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$`)

// newPublished checks the lists of c. What was made of a list among old that stays
// as it is stays, too.
func newPublished(c Config, old map[string]*published) (map[string]*published, error) {
	if c.StatusTTL == 0 {
		c.StatusTTL = DefaultStatusTTL
	}
	if c.StatusTTL < time.Second || c.StatusTTL > time.Hour {
		return nil, fmt.Errorf("httpapi: Config.StatusTTL is %v; use 1s to 1h", c.StatusTTL)
	}
	all := make(map[string]*published, len(c.StatusLists))
	for _, l := range c.StatusLists {
		switch {
		case c.Signer == nil:
			return nil, errors.New("httpapi: there are Config.StatusLists, but no Config.Signer")
		case !statusListName.MatchString(l.Name):
			return nil, fmt.Errorf("httpapi: %.80q can't be the name of a status list", l.Name)
		case l.Size <= 0 || l.Size%8 != 0 || l.Size > MaxStatusListSize:
			return nil, fmt.Errorf("httpapi: a status list of %d entries; use a multiple of 8 up to %d", l.Size, MaxStatusListSize)
		case float64(l.Size) > entriesASecond*c.StatusTTL.Seconds():
			return nil, fmt.Errorf("httpapi: a status list of %d entries that is made anew after %v; use a Config.StatusTTL of at least %ds for so many", l.Size, c.StatusTTL, (l.Size+entriesASecond-1)/entriesASecond)
		case all[l.Name] != nil:
			return nil, fmt.Errorf("httpapi: two status lists called %s", l.Name)
		}
		p := publication{StatusListURI(c.Name, l.Name), c.Name, l.Size, c.StatusTTL}
		if all[l.Name] = old[l.Name]; all[l.Name] == nil || all[l.Name].publication != p {
			all[l.Name] = &published{publication: p}
		}
	}
	return all, nil
}

// statusList serves a list. It states what this node knows, of revocations by
// reference only, and is made anew when its ttl has passed.
func (a *API) statusList(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*") // section 8.1: browsers may read it, and it has no secrets
	terms := a.termsOf(r)
	list := terms.lists[strings.TrimPrefix(r.URL.Path, statusPrefix)]
	switch {
	case list == nil:
		problem.NotFound.Write(w, "this node publishes no such status list")
		return
	case r.URL.Query().Has("time"):
		problem.NotHere.Write(w, "the status at an earlier time is not known here; leave time out")
		return
	case !acceptsStatusList(r.Header.Values("Accept")):
		problem.Accept.Write(w, "status lists are written as "+mediaTypeStatusList+" only")
		return
	}
	now := time.Now()
	doc, err := list.document(a.cfg.Node, terms.signer, now)
	if errors.Is(err, errListStale) {
		problem.NotReady.Write(w, "this node may be too far behind to say what is revoked; ask another one, or later")
		return
	}
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	doc.serve(w, r, doc.made.Add(list.ttl).Sub(now))
}

func acceptsStatusList(values []string) bool {
	return len(values) == 0 || accepts(values, mediaTypeStatusList) || accepts(values, "application/*") || accepts(values, "*/*")
}

// serve answers with the list, which caches may keep for fresh.
func (d *statusDocument) serve(w http.ResponseWriter, r *http.Request, fresh time.Duration) {
	body, etag := d.raw, `"`+d.etag+`"`
	h := w.Header()
	h.Set("Vary", "Accept, Accept-Encoding")
	if accepts(r.Header.Values("Accept-Encoding"), "gzip") {
		body, etag = d.zipped, `"`+d.etag+`-gzip"`
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(math.Ceil(max(fresh.Seconds(), 0)))))
	h.Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", mediaTypeStatusList)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body) // a client that has gone away needs no answer
}

// errListStale: this node can't know what is revoked, or may have missed for
// longer than the ttl what others know.
var errListStale = errors.New("httpapi: too far behind to publish a status list")

// document returns the list as it was made at most a ttl before now.
func (l *published) document(n Node, signer Signer, now time.Time) (*statusDocument, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last != nil && now.Before(l.last.made.Add(l.ttl)) {
		return l.last, nil
	}
	if st := n.Status(); !st.Ready || !st.Staleness.Known || st.Staleness.Bound > l.ttl {
		return nil, errListStale
	}
	list, err := l.ask(n)
	if err != nil {
		return nil, err
	}
	raw, err := signer.SignJWT(token.TypeStatusList, l.claims(list, now))
	if err != nil {
		return nil, err
	}
	l.last = newStatusDocument(raw, now)
	return l.last, nil
}

// ask asks n about every entry. That takes no token: an entry is revoked by its
// own name.
func (l *published) ask(n Node) (*statuslist.List, error) {
	list, err := statuslist.New(1, l.size)
	if err != nil {
		return nil, err
	}
	for i := range l.size {
		key := token.StatusReference{URI: l.uri, Index: uint64(i)}.Key()
		switch n.Check(rescind.Token{Issuer: key.Issuer, ID: key.ID}) {
		case rescind.Revoked:
			list.Set(i, statuslist.Invalid)
		case rescind.Valid:
		default: // Stale, under the policy reject, or Unknown
			return nil, errListStale
		}
	}
	return list, nil
}

// listClaims are those of a Status List Token (section 5.1).
type listClaims struct {
	Iss  string      `json:"iss"`
	Sub  string      `json:"sub"`
	Iat  int64       `json:"iat"`
	Exp  int64       `json:"exp"`
	TTL  int64       `json:"ttl"`
	List listContent `json:"status_list"`
}

type listContent struct {
	Bits int    `json:"bits"`
	Lst  string `json:"lst"`
}

func (l *published) claims(list *statuslist.List, now time.Time) listClaims {
	return listClaims{
		Iss: l.issuer, Sub: l.uri, Iat: now.Unix(), Exp: now.Add(statusTTLs * l.ttl).Unix(), TTL: int64(l.ttl / time.Second),
		List: listContent{list.Bits(), list.Encode()},
	}
}

func newStatusDocument(raw string, now time.Time) *statusDocument {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write([]byte(raw)) // a buffer takes everything
	z.Close()
	sum := sha256.Sum256([]byte(raw))
	return &statusDocument{raw: []byte(raw), zipped: zipped.Bytes(), etag: base64.RawURLEncoding.EncodeToString(sum[:12]), made: now}
}
