package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"

	"rescind/httpapi/dashboard"
	"rescind/token"
)

// demo is the issuer and the protected endpoint of 'node dev'. It asks for no
// password.
type demo struct {
	node   string
	issuer *token.Issuer
}

// handler serves the paths below /demo/.
func (d demo) handler(v *token.Verifier, playground http.HandlerFunc) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(dashboard.PlaygroundPath, playground)
	mux.HandleFunc(dashboard.PlaygroundPath+"/", playground)
	mux.HandleFunc("POST /demo/login", d.login)
	mux.HandleFunc("POST /demo/refresh", d.refresh)
	mux.Handle("GET /demo/hello", token.Middleware(v)(http.HandlerFunc(d.hello)))
	return mux
}

// demoForm is what the demo's endpoints take, as JSON or as a form.
type demoForm struct {
	User         string `json:"user"`
	Device       string `json:"device"`
	RefreshToken string `json:"refresh_token"`
}

func (d demo) login(w http.ResponseWriter, r *http.Request) {
	form, err := readDemoForm(w, r)
	if err == nil && form.User == "" {
		err = errors.New("name a user, e.g. -d user=ada -d device=phone")
	}
	if err != nil {
		writeProblem(w, http.StatusBadRequest, err.Error())
		return
	}
	claims := map[string]any{}
	if form.Device != "" {
		claims["device"] = form.Device
	}
	pair, err := d.issuer.Login(r.Context(), form.User, token.LoginOptions{ClientID: "demo", Claims: claims})
	answerPair(w, pair, err)
}

func (d demo) refresh(w http.ResponseWriter, r *http.Request) {
	form, err := readDemoForm(w, r)
	if err != nil {
		writeProblem(w, http.StatusBadRequest, err.Error())
		return
	}
	pair, err := d.issuer.Refresh(context.WithoutCancel(r.Context()), form.RefreshToken)
	answerPair(w, pair, err)
}

func answerPair(w http.ResponseWriter, pair token.Pair, err error) {
	if err != nil {
		token.WriteError(w, err, "rescind demo")
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, pair)
}

func (d demo) hello(w http.ResponseWriter, r *http.Request) {
	claims, err := token.ClaimsFrom[struct {
		Subject string `json:"sub"`
		Device  string `json:"device"`
	}](r.Context())
	if err != nil {
		token.WriteError(w, err, "rescind demo")
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"hello": claims.Subject, "device": claims.Device, "from": d.node})
}

// readDemoForm reads a small JSON object or form.
func readDemoForm(w http.ResponseWriter, r *http.Request) (demoForm, error) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/json" {
		var form demoForm
		dec := json.NewDecoder(r.Body)
		dec.DisallowUnknownFields()
		if err := dec.Decode(&form); err != nil {
			return form, fmt.Errorf("the body is not a JSON object with user and device: %w", err)
		}
		return form, nil
	}
	if err := r.ParseForm(); err != nil {
		return demoForm{}, fmt.Errorf("the body is no form: %w", err)
	}
	f := r.PostForm
	return demoForm{f.Get("user"), f.Get("device"), f.Get("refresh_token")}, nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client has gone
}

func writeProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": detail})
}
