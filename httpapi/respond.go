package httpapi

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rescind/internal/problem"
)

// refuse answers a request that failed with err.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	a.logUnexpected(r, err)
	problem.Write(w, err, realm)
}

// logUnexpected logs an error that clients get no words about.
func (a *API) logUnexpected(r *http.Request, err error) {
	if problem.Of(err) == problem.Unexpected {
		a.log.LogAttrs(r.Context(), slog.LevelError, "request failed", slog.String("endpoint", r.Pattern), slog.Any("error", err))
	}
}

// writeJSON answers with v as JSON.
func writeJSON(w http.ResponseWriter, status int, v any) {
	writeBody(w, status, "application/json", v)
}

// writeBody answers with v in JSON of the given media type. The body is
// complete before the first byte leaves, so that no answer breaks off in the
// middle with a status that promised success.
func writeBody(w http.ResponseWriter, status int, mediaType string, v any) {
	// Names come from other members, and an odd byte in one of them must not
	// hide all the rest.
	body, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		panic(err) // every type that is passed here can be written
	}
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) // a client that has gone away needs no answer
}

// millis shows a duration as a number of milliseconds with the precision of a
// microsecond, the unit that every member called *_ms has.
func millis(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}

// millisOrNull is null where nothing has been measured: 0 would claim that
// there was no delay.
func millisOrNull(d time.Duration, known bool) *float64 {
	if !known {
		return nil
	}
	ms := millis(d)
	return &ms
}
