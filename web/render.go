package web

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth"
)

//go:embed templates
var templateFiles embed.FS

// pagePolicy lets a page load its own style sheet and send its own forms, and nothing else.
const pagePolicy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// view is all that a template may show. Passwords are never among it.
type view struct {
	Title string
	Form  form

	Faults []string          // what is wrong with the whole
	Fields map[string]string // what is wrong with one field, by its name

	Next      string // where one goes on to from here
	Open      bool   // strangers may register
	Anonymous bool   // one may go on without an account
	SignedIn  string // the address of whoever is signed in already
	Teams     []Team // theirs
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
	for _, name := range []string{"login", "register", "setup", "account", "message"} {
		parsed[name] = template.Must(template.ParseFS(templateFiles, "templates/layout.html", "templates/fields.html", "templates/"+name+".html"))
	}
	return parsed
}

// render answers with a page. Pages hold addresses and tokens of one person, so nobody may keep them.
func (p *Pages) render(c echo.Context, status int, page string, v view) error {
	v.Open = p.cfg.Registration == auth.RegistrationOpen
	v.Next = p.next(v.Form.Return)
	v.Anonymous = v.Next != accountPage && p.cfg.Anonymous(c.Request().Context()) // that page is for accounts only
	var body bytes.Buffer
	if err := p.pages[page].ExecuteTemplate(&body, "layout", v); err != nil {
		return err
	}
	protect(c.Response().Header())
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
