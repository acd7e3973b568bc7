package httpapi

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"rescind"
)

const (
	// maxWait bounds ?timeout=, and thereby how long a client can make the
	// node keep a request.
	maxWait = time.Minute

	// localWait is for a revocation that waits for no other node: it bounds a
	// disk that hangs.
	localWait = 10 * time.Second
)

// concern is what a caller asked of a revocation: on how many nodes it must be
// durable, and how long to wait for that.
type concern struct {
	ack     rescind.Ack // more nodes than there are is 202: one may be about to join
	timeout time.Duration
}

// concernOf reads ?ack= and ?timeout=. Other parameters are refused: a
// misspelt "ack" would silently be a weaker promise than the caller wants.
// Errors are of type *rescind.InvalidError and repeat no value.
func (a *API) concernOf(r *http.Request) (concern, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return concern{}, &rescind.InvalidError{Field: "query", Problem: "can't be parsed"}
	}
	for name, values := range query {
		if name != "ack" && name != "timeout" {
			return concern{}, &rescind.InvalidError{Field: plainName(name), Problem: "is no parameter of this request; there are ack and timeout"}
		}
		if len(values) > 1 {
			return concern{}, &rescind.InvalidError{Field: name, Problem: "is there twice"}
		}
	}
	ack, err := rescind.ParseAck(query.Get("ack"))
	if err != nil || query.Has("ack") && ack == rescind.AckDefault {
		return concern{}, &rescind.InvalidError{Field: "ack", Problem: "must be local, majority, all or a number of other nodes up to 10000"}
	}
	timeout := a.wait(ack)
	if query.Has("timeout") {
		timeout, err = parseWait(query.Get("timeout"))
	}
	return concern{ack, timeout}, err
}

// wait is how long a revocation may take whose caller did not say.
func (a *API) wait(ack rescind.Ack) time.Duration {
	if ack == rescind.AckLocal {
		return localWait
	}
	return a.cfg.AckTimeout
}

// parseWait reads a duration as Go writes it, or a plain number of seconds.
func parseWait(s string) (time.Duration, error) {
	if strings.Trim(s, "0123456789.") == "" {
		s += "s"
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 || d > maxWait {
		return 0, &rescind.InvalidError{Field: "timeout", Problem: "must be a duration such as 500ms, or a number of seconds, above 0 and at most 60s"}
	}
	return d, nil
}
