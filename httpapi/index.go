package httpapi

import (
	"fmt"
	"net/http"
	"strings"
)

// index lists what this node serves, for people who open its address.
func (f *face) index(w http.ResponseWriter, r *http.Request) {
	a := f.api
	var page strings.Builder
	fmt.Fprintf(&page, "Rescind %s\n\n%s\n\n", a.cfg.Version, a.readyLine())
	for _, rt := range f.listed {
		fmt.Fprintf(&page, "%-7s %-24s %-15s %s%s\n", rt.method, rt.path, rt.who, rt.what, a.offNote(rt, a.termsOf(r)))
	}
	page.WriteString("\nbearer: an access token; admin: the admin token; both as Authorization: Bearer\n")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte(page.String()))
}

func (a *API) readyLine() string {
	ready := a.readiness()
	line := "ready"
	if !ready.Ready {
		line = "not ready"
	}
	if len(ready.Reasons) > 0 {
		line += ": " + strings.Join(ready.Reasons, "; ")
	}
	return line
}

// offNote says what this node's configuration leaves out.
func (a *API) offNote(rt route, terms terms) string {
	switch {
	case rt.who == "admin" && !terms.admins.on:
		return " (off: no admin token)"
	case (rt.who == "receiver" || rt.path == "/.well-known/ssf-configuration") && a.cfg.Transmitter == nil:
		return " (off: nobody is told)"
	case rt.path == "/.well-known/jwks.json" && terms.jwks == nil:
		return " (off: no keys to show)"
	case rt.path == statusPath && len(terms.lists) == 0:
		return " (off: none is published)"
	}
	return ""
}
