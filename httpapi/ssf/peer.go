package ssf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// Failed attempts are repeated after retryMin, twice that, up to retryMax.
	retryMin = time.Second
	retryMax = 5 * time.Minute
)

// checkURL accepts https, and http to this host: events name people, and the
// secret that opens them goes along.
func checkURL(rawURL string) error {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.User != nil {
		return errors.New("not an absolute URL without user and password")
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return errors.New("must be https, or http on loopback")
}

// peerClient returns a copy of c, or a new client, that follows no redirect: the
// secret and the events are for the configured address alone.
func peerClient(c *http.Client) *http.Client {
	if c == nil {
		c = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	}
	own := *c
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// statusError is an answer of another status than was hoped for.
type statusError struct {
	status int
	after  time.Duration // Retry-After, at most retryMax; 0: none
}

func (e *statusError) Error() string {
	return fmt.Sprintf("the peer answered with status %d", e.status)
}

// statusOf makes an error of an answer.
func statusOf(resp *http.Response) *statusError {
	e := &statusError{status: resp.StatusCode}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		e.after = min(time.Duration(min(s, 1e6))*time.Second, retryMax)
	}
	return e
}

var errTooLarge = errors.New("the answer is larger than is read here")

// readAnswer reads at most limit bytes of JSON.
func readAnswer(resp *http.Response, limit int) ([]byte, error) {
	if media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, errors.New("the answer is not application/json")
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", withoutURL(err))
	case len(body) > limit:
		return nil, errTooLarge
	}
	return body, nil
}

// authorize adds the bearer token that read returns; a nil read means none. It
// is read for each request, so that it can be replaced without a restart.
func authorize(r *http.Request, read func() (string, error)) error {
	if read == nil {
		return nil
	}
	secret, err := read()
	if err != nil {
		return fmt.Errorf("read the peer's token: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	return nil
}

// withoutURL unwraps the error of an HTTP client, which repeats the URL with its
// query.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// backoff returns how long to wait after so many failures in a row, the last of
// which was err: from half to the whole of the time that doubles with each, so
// that those who failed together don't come back together.
func backoff(failures int, err error) time.Duration {
	d := min(retryMin<<min(max(failures, 1)-1, 20), retryMax)
	d -= rand.N(d / 2)
	if s, ok := errors.AsType[*statusError](err); ok {
		d = max(d, s.after)
	}
	return d
}

// pause sleeps for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// worthALine reports whether the n-th failure in a row is logged: ever fewer.
func worthALine(n int) bool { return n&(n-1) == 0 }
