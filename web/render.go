package web

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/oidc"
)

//go:embed templates
var templateFiles embed.FS

// pagePolicy lets a page load its own style sheet and send its own forms, and nothing else.
const pagePolicy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// scripted are the pages with passkeys, which only a script can ask a browser for; scriptPolicy lets them run ours and ask us.
var scripted = map[string]bool{"security": true, "factor": true, "passkey": true, "step-up": true}

const scriptPolicy = pagePolicy + "; script-src 'self'; connect-src 'self'"

// view is all that a template may show. Passwords are never among it.
type view struct {
	Title string
	Form  form

	Lead           string // what the page is about, in a sentence
	Action, Button string // where its form goes, and what its button says

	Faults []string          // what is wrong with the whole
	Fields map[string]string // what is wrong with one field, by its name

	Reask     bool   // a link to choose a password is no good: offer another
	Resend    bool   // the address is not verified: offer another mail
	Next      string // where one goes on to from here
	Open      bool   // strangers may register
	Anonymous bool   // one may go on without an account
	SignedIn  string // the address of whoever is signed in already
	Teams     []Team // theirs

	Sessions      []sessionView // theirs, the newest first
	OtherSessions bool          // there are more than this one
	MoreSessions  bool          // there are more than are shown

	Keys   []keyView // somebody's API keys
	NewKey string    // the only copy of the one that was just made

	Providers  []oidc.Choice // by which one can sign in, or that one can link
	Identities []oidc.Linked // that somebody has
	StepUp     string        // where they prove again who they are, when that is what is missing

	Device deviceView // the device that asks to be let in

	Admin      adminView // the installation, for superusers
	Superuser  bool      // there are pages for it
	Entries    []Entry   // who was in their current team without being a member
	Fresh      bool      // they proved a moment ago who they are
	NoPassword bool      // by which they do not prove it

	Factor   factorView // second factors
	Passkeys bool       // one can sign in by a passkey
	Script   string     // the one script of the page; empty: none is allowed
}

// form is what was typed, to be shown again.
type form struct {
	Email, Name, TeamName string
	Return                string
	Token                 string // of the setup link; it stands in the path
}

// ReturnQuery is the return path for a link to another page of ours; empty when it is the start page.
func (f form) ReturnQuery() string {
	if f.Return == start {
		return ""
	}
	return f.Return
}

func parsePages() map[string]*template.Template {
	parsed := map[string]*template.Template{}
	for _, name := range []string{"login", "register", "setup", "account", "sessions", "keys", "message", "identities", "onward", "ask", "confirm", "done", "device", "device-done", "reset", "delete",
		"admin", "admin-user", "admin-delete", "admin-mail", "admin-bans",
		"security", "totp", "codes", "factor", "passkey", "step-up"} {
		parsed[name] = template.Must(template.ParseFS(templateFiles, "templates/layout.html", "templates/fields.html", "templates/proof.html", "templates/admin-nav.html", "templates/"+name+".html"))
	}
	return parsed
}

// render answers with a page. Pages hold addresses and tokens of one person, so nobody may keep them.
func (p *Pages) render(c echo.Context, status int, page string, v view) error {
	v.Open = p.cfg.Registration == auth.RegistrationOpen
	v.Next = p.next(v.Form.Return)
	if page != "identities" {
		v.Providers = p.choices()
	}
	v.Anonymous = v.Next != accountPage && p.cfg.Anonymous(c.Request().Context()) // that page is for accounts only
	v.Passkeys = p.cfg.Factors != nil && p.cfg.Factors.PasskeysAvailable() == nil
	if scripted[page] {
		v.Script = "passkey.js"
	}
	var body bytes.Buffer
	if err := p.pages[page].ExecuteTemplate(&body, "layout", v); err != nil {
		return err
	}
	protect(c.Response().Header())
	if v.Script != "" {
		c.Response().Header().Set("Content-Security-Policy", scriptPolicy)
	}
	return c.HTMLBlob(status, body.Bytes())
}

// protect sets the headers of all pages. With "no-referrer" browsers would send "Origin: null" with our own forms, so that the
// check against foreign ones could not tell; "same-origin" keeps paths from other hosts just as well.
func protect(h http.Header) {
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}
