package httpapi

import (
	"io"
	"net/http"
)

// unread is an answer to an HTTP/1 request that has a body. Where nobody has read that
// to its end when the request is refused, it closes the connection: net/http would otherwise wait
// for the body before it sends the answer, up to the read timeout, and whoever sends
// none would hold a connection without having shown anything.
type unread struct {
	http.ResponseWriter
	body noted
}

// noted is a body that notes that it was read to its end.
type noted struct {
	io.ReadCloser
	ended bool
}

// Read implements io.Reader.
func (n *noted) Read(p []byte) (int, error) {
	k, err := n.ReadCloser.Read(p)
	n.ended = n.ended || err == io.EOF
	return k, err
}

// closingUnread returns the writer to use for the answer to r.
func closingUnread(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	if r.ContentLength == 0 || r.ProtoMajor != 1 {
		return w
	}
	return &unread{ResponseWriter: w}
}

// noting returns body, of which it learns whether it is read.
func (u *unread) noting(body io.ReadCloser) io.ReadCloser {
	u.body.ReadCloser = body
	return &u.body
}

// WriteHeader implements http.ResponseWriter.
func (u *unread) WriteHeader(status int) {
	if status >= http.StatusBadRequest && !u.body.ended {
		u.Header().Set("Connection", "close")
	}
	u.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (u *unread) Unwrap() http.ResponseWriter { return u.ResponseWriter }
