package dashboard

import "net/http"

// maxForm bounds a form: a token has at most 8 KiB, which encoding may triple.
const maxForm = 64 << 10

// policy is the Content Security Policy of every page.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
	"frame-ancestors 'none'; form-action 'self'; base-uri 'none'"

// pages are handlers by method and path. They are no [http.ServeMux], which
// answers a path with // in it by a redirect that repeats the path.
type pages map[string]http.HandlerFunc

// guarded serves the pages behind the bounds that all of them share: the strict
// policy, no requests from foreign pages, small bodies.
func (p pages) guarded() http.Handler {
	next := http.NewCrossOriginProtection().Handler(p)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "same-origin") // no-referrer would take the Origin from our own forms, too
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// ServeHTTP answers HEAD as GET.
func (p pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	serve, ok := p[method+" "+r.URL.Path]
	if !ok {
		http.Error(w, "There is no such page.", http.StatusNotFound)
		return
	}
	serve(w, r)
}
