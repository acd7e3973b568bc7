package httpapi

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"

	"rescind/internal/problem"
)

// maxBody bounds every request body in bytes. A token has at most 8 KiB and a
// revocation a few of 1 KiB, so that nothing honest comes near.
const maxBody = 64 << 10

// readBody returns the whole body, which must be of the given media type and
// not be compressed: a few bytes of gzip can stand for gigabytes. Errors are of
// type *problem.Error.
func readBody(w http.ResponseWriter, r *http.Request, mediaType string) ([]byte, error) {
	if err := checkMediaType(r.Header, mediaType); err != nil {
		return nil, err
	}
	if r.ContentLength > maxBody {
		w.Header().Set("Connection", "close") // the rest will not be read
		return nil, errTooLarge()
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, errTooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &problem.Error{Kind: problem.SlowBody, Detail: "the body did not arrive in time"}
	case err != nil:
		return nil, &problem.Error{Kind: problem.Malformed, Detail: "the body could not be read to its end"}
	}
	return body, nil
}

func errTooLarge() error {
	return &problem.Error{Kind: problem.TooLarge, Detail: fmt.Sprintf("a body has at most %d bytes", maxBody)}
}

func checkMediaType(h http.Header, want string) error {
	if len(h.Values("Content-Encoding")) > 0 {
		return &problem.Error{Kind: problem.MediaType, Detail: "a body must not be compressed; leave Content-Encoding out"}
	}
	types := h.Values("Content-Type")
	if len(types) == 1 {
		got, params, err := mime.ParseMediaType(types[0])
		if err == nil && got == want && utf8Charset(params) {
			return nil
		}
	}
	return &problem.Error{Kind: problem.MediaType, Detail: "the body must be sent once as Content-Type: " + want}
}

// utf8Charset reports whether params leave the charset open or say UTF-8. A
// body in UTF-16 would be refused anyway, but as malformed, which puzzles.
func utf8Charset(params map[string]string) bool {
	switch params["charset"] {
	case "", "utf-8", "UTF-8", "utf8":
		return true
	}
	return false
}
