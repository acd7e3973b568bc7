package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestCheckKnowsANode: a server that answers everything by 200, or sends to a page
// to log in at, has not said that a token is valid.
func TestCheckKnowsANode(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		code   int
	}{
		"a node":           {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Auth-Subject", "") }, exitOK},
		"a web server":     {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("welcome")) }, exitUnreachable},
		"a page to log in": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }, exitRefused},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.answer)
			t.Cleanup(server.Close)
			var out strings.Builder
			code := run(t.Context(), env{[]string{"check", "--addr", server.URL}, strings.NewReader("a.b.c"), &out, &out})
			if code != c.code || strings.Contains(out.String(), "valid") != (code == exitOK) {
				t.Errorf("%d: %s", code, out.String())
			}
		})
	}
}
