package admission

import "net/http"

// Handler returns next for as many requests of HTTP/2 at one time as there is room
// for; those beyond get 503 without a body. A connection of HTTP/1 has one request
// at a time, so that there the connections are bound enough. One of HTTP/2 has a
// hundred, each with headers that stay while it waits for a body or for its client
// to read.
func (r *Room) Handler(next http.Handler) http.Handler {
	if r == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.ProtoMajor < 2 {
			next.ServeHTTP(w, req)
			return
		}
		from := ParseAddr(req.RemoteAddr)
		if !r.Take(from, 1) {
			// Headers alone end the stream, also for a client that lets nothing be sent.
			w.Header().Set("Retry-After", "1")
			w.Header().Set("Content-Length", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		defer r.Give(from, 1)
		next.ServeHTTP(w, req)
	})
}
