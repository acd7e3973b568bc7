package dashboard

import (
	"errors"
	"net/http"
	"strings"

	"rescind"
	"rescind/token"
)

// revokeChoice is one line of "what to revoke".
type revokeChoice struct {
	Value, Name, Note string
	Checked           bool
}

// broad are the scopes that log out people by the thousand; the form asks twice.
var broad = map[rescind.Scope]bool{rescind.ScopeClientID: true, rescind.ScopeKID: true, rescind.ScopeIss: true}

func revokeChoices(chosen rescind.Scope) []revokeChoice {
	out := []revokeChoice{
		{Value: "jti", Name: "This token", Note: "jti"},
		{Value: "sid", Name: "Its session: log out this device", Note: "sid"},
		{Value: "sub", Name: "Its subject: log out everywhere; newer tokens go on", Note: "sub"},
		{Value: "client_id", Name: "Its client: all users of one application", Note: "client_id or azp"},
		{Value: "kid", Name: "Its key: everything that was signed with it", Note: "kid"},
		{Value: "iss", Name: "Its issuer: everybody; newer tokens go on", Note: "iss"},
	}
	for i := range out {
		out[i].Checked = out[i].Value == chosen.String()
	}
	return out
}

// revokeView is the page of the form for revocations.
type revokeView struct {
	head
	Choices         []revokeChoice
	Issuer, ID, Ack string // as they were typed
	Acks            []string
	Reason, Failure string
	Receipt         *Revoked
	Slowest         float64 // in seconds, for the bars
}

func (d *Dashboard) revokeView(o Operator, f Form) revokeView {
	if f.Scope == 0 {
		f.Scope = rescind.ScopeSID
	}
	ack := f.Ack.String()
	if f.Ack == rescind.AckDefault {
		ack = "all"
	}
	return revokeView{
		head: d.head("Revoke", o.Name), Choices: revokeChoices(f.Scope),
		Issuer: f.Issuer, ID: f.ID, Reason: f.Reason, Ack: ack, Acks: []string{"local", "majority", "all"},
	}
}

func (d *Dashboard) revokePage(w http.ResponseWriter, _ *http.Request, o Operator) {
	write(w, http.StatusOK, "revoke.html", d.revokeView(o, Form{}))
}

// revoke does what the form says, and shows the receipt above a form that keeps
// all but the token.
func (d *Dashboard) revoke(w http.ResponseWriter, r *http.Request, o Operator) {
	f, err := formOf(r)
	var done Revoked
	if err == nil {
		done, err = d.cfg.Revoke(r, o.Name, f)
	}
	view := d.revokeView(o, f)
	if err != nil {
		view.Failure = err.Error()
		write(w, http.StatusUnprocessableEntity, "revoke.html", view)
		return
	}
	view.Receipt, view.Slowest = &done, done.Window().Seconds()
	view.ID, view.Reason = "", ""
	write(w, http.StatusOK, "revoke.html", view)
}

var errBroad = errors.New("this logs out everybody whom it covers: tick the box that says that you know")

func formOf(r *http.Request) (Form, error) {
	if err := r.ParseForm(); err != nil {
		return Form{}, errors.New("the form can't be read, or is longer than 64 KiB")
	}
	get := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	f := Form{Token: bearer(get("token")), Issuer: get("iss"), ID: get("id"), Reason: get("reason")}
	var err error
	if f.Scope, err = rescind.ParseScope(get("scope")); err != nil {
		return f, errors.New("say what to revoke")
	}
	if f.Ack, err = rescind.ParseAck(get("ack")); err != nil {
		return f, errors.New("say how many nodes must have it")
	}
	switch {
	case f.Token != "" && (f.ID != "" || f.Issuer != ""):
		return f, errors.New("give a token, or an issuer and an identifier, not both")
	case f.Token == "" && f.ID == "" && f.Scope != rescind.ScopeIss:
		return f, errors.New("give a token, or an identifier")
	case broad[f.Scope] && get("sure") != "yes":
		return f, errBroad
	}
	return f, nil
}

// bearer returns a token that may have been pasted with the header around it.
func bearer(s string) string {
	s = strings.TrimSpace(strings.TrimPrefix(s, "Authorization:"))
	return strings.TrimSpace(strings.TrimPrefix(s, "Bearer "))
}

// checkView is the page of the form that explains a token.
type checkView struct {
	head
	Failure     string
	Explanation *token.Explanation
	Verdict     string
	Class       string
	Reason      string
}

func (d *Dashboard) checkPage(w http.ResponseWriter, _ *http.Request, o Operator) {
	write(w, http.StatusOK, "check.html", checkView{head: d.head("Check a token", o.Name)})
}

func (d *Dashboard) check(w http.ResponseWriter, r *http.Request, o Operator) {
	view := checkView{head: d.head("Check a token", o.Name)}
	raw := bearer(r.PostFormValue("token"))
	if raw == "" {
		view.Failure = "paste a token"
		write(w, http.StatusUnprocessableEntity, "check.html", view)
		return
	}
	e := d.cfg.Explain(raw)
	view.Explanation = &e
	view.Verdict, view.Class, view.Reason = verdictOf(e.Err)
	write(w, http.StatusOK, "check.html", view)
}

// verdictOf says what /v1/check answers, and why.
func verdictOf(err error) (verdict, class, reason string) {
	refusal, ok := errors.AsType[*token.Error](err)
	if ok {
		reason = refusal.Reason
	}
	switch token.Status(err) {
	case http.StatusOK:
		return "Accepted: 200", "alive", "no revocation known here covers it, and form, signature, claims and times are in order"
	case http.StatusServiceUnavailable:
		return "Not known right now: 503", "one-way", reason
	default:
		return "Refused: 401", "silent", reason
	}
}
