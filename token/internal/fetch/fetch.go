package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	maxRedirects = 3
	fetchTimeout = 10 * time.Second
)

// CheckURL accepts https, and http to this host: keys that came over a plain
// network are anybody's keys.
func CheckURL(rawURL string) error {
	u, err := url.Parse(rawURL)
	switch {
	case err != nil || u.Host == "":
		return errors.New("not an absolute URL")
	case !trustworthy(u):
		return errors.New("must be https, or http on loopback")
	}
	return nil
}

func trustworthy(u *url.URL) bool {
	if u.Scheme == "https" {
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// Redact drops what may be secret in a URL.
func Redact(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "invalid"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// Client returns a copy of c, or a new client, that has a time-out and
// follows no redirect to where CheckURL would not have gone.
func Client(c *http.Client) *http.Client {
	if c == nil {
		c = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	}
	fetching := *c
	if fetching.Timeout == 0 {
		fetching.Timeout = fetchTimeout
	}
	fetching.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return errors.New("too many redirects")
		}
		if req.URL.Scheme != "https" && via[0].URL.Scheme == "https" || !trustworthy(req.URL) {
			return errors.New("redirect to a URL that is not https")
		}
		return nil
	}
	return &fetching
}

// Document is what a download expects.
type Document struct {
	Name     string // for errors
	Accept   string
	MaxBytes int64 // unpacked, if the server compresses
}

// Download reads a document from a URL. Its errors don't repeat what the server
// sent.
func Download(ctx context.Context, client *http.Client, rawURL string, d Document) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return nil, fmt.Errorf("building the request for %s", d.Name)
	}
	req.Header.Set("Accept", d.Accept)
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking for %s: %w", d.Name, withoutURL(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking for %s: status %d", d.Name, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, d.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", d.Name, err)
	}
	if int64(len(body)) > d.MaxBytes {
		return nil, fmt.Errorf("%s is larger than %d bytes", d.Name, d.MaxBytes)
	}
	return body, nil
}

// withoutURL unwraps the error of an HTTP client, which repeats the URL with
// its query.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
