package httpapi

import (
	_ "embed"
	"net/http"
	"strconv"
)

// openAPI describes every route; the tests hold it against the routes, and every
// answer that a test gets against it.
//
//go:embed openapi.json
var openAPI []byte

func (a *API) openapi(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(openAPI)))
	w.Write(openAPI)
}
