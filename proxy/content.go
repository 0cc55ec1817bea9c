package proxy

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// ContentConfig is a second origin, which serves what agents wrote and nothing else. No credential counts there: a request's
// right is that of the session which a signed link in its path names, so that what a page loads from beside itself has it too.
type ContentConfig struct {
	Origin string // scheme://host[:port], not one of Config.Origins
	Key    []byte // signs the links: 32 bytes or more, used for nothing else
	Prefix string // of the paths that links stand for, up to the conversation's id: "/api/conversations/"
}

// Link returns the address of the request's path on the content origin. False: there is none, the caller has no session by which
// a link could be judged, or the request came by a link.
func (x *Exchange) Link() (*url.URL, bool) {
	k := x.engine.links
	if k == nil || x.linked {
		return nil, false
	}
	text, ok := k.sign(x.Object.ID, x.Principal())
	tail, below := strings.CutPrefix(x.canonical, k.Prefix+x.Object.ID.String())
	if !ok || !below {
		return nil, false
	}
	u, err := url.Parse(k.Origin + "/" + text + tail)
	if err != nil {
		return nil, false
	}
	u.RawQuery = x.query(Outgoing{})
	return u, true
}

// Linked says whether the request came by a link, to the content origin.
func (x *Exchange) Linked() bool { return x.linked }

// Redirect sends the client on. The address may hold a secret: it is not kept, nor told to the next server.
func (x *Exchange) Redirect(to *url.URL) error {
	h := x.Writer.Header()
	h.Set("Location", to.String())
	h.Set("Referrer-Policy", "no-referrer")
	return x.NoContent(http.StatusFound)
}

// ServeContent answers on the content origin: the operations that say Content, below a link. All else does not exist there,
// whatever credential it brings.
func (e *Engine) ServeContent(w http.ResponseWriter, r *http.Request) {
	x := &Exchange{Writer: w, Request: r, engine: e, linked: true}
	defer x.recover()
	if err := x.serveLink(); err != nil && !x.answered {
		x.note(err)
		if isUnauthorized(err) {
			err = problem.NotFound // there is no signing in here
		}
		own(w.Header())
		w.Header().Set("Referrer-Policy", "no-referrer")
		e.write(w, x.Request, err)
	}
}

func (x *Exchange) serveLink() error {
	x.receive()
	defer x.leave()
	defer x.shares.release()
	l, err := x.follow()
	if err != nil {
		return err
	}
	if !x.engine.cfg.Now().Before(l.expires) {
		return x.expired()
	}
	caller, err := x.engine.cfg.Gate.Resolve(x.Request.Context(), access.OfSession(l.user, l.session), "")
	if err != nil {
		return err
	}
	if caller.Principal == nil || caller.Principal.User != l.user {
		return problem.NotFound
	}
	x.Caller = caller
	return x.serveCaller()
}

// follow replaces the request by the one that its link stands for: from then on nothing that is logged holds the link.
//
// A page cannot make its link's prefix the realm of a service worker, by which it would live on: no script is given to one.
func (x *Exchange) follow() (link, error) {
	r, k := x.Request, x.engine.links
	target, err := parseTarget(r.RequestURI)
	if err != nil || k == nil || r.Method != http.MethodGet || len(r.Header["Service-Worker"]) > 0 {
		x.Request = nameless(r)
		return link{}, problem.NotFound
	}
	text, tail, _ := strings.Cut(target.Path[1:], "/")
	l, ok := k.read(text)
	if !ok {
		x.Request = nameless(r)
		return l, problem.NotFound
	}
	return l, x.become(k.Prefix+l.conversation.String()+"/"+tail, target.RawQuery)
}

// become makes the request one for another path.
func (x *Exchange) become(path, query string) error {
	inner := nameless(x.Request)
	x.Request = inner
	if query != "" {
		query = "?" + query
	}
	target, err := parseTarget(path + query)
	if err != nil {
		return problem.NotFound
	}
	m, found := x.engine.table.find(http.MethodGet, target)
	if !found || !m.row.Content {
		return problem.NotFound
	}
	x.Target, inner.RequestURI = target, path+query
	if inner.URL, err = url.ParseRequestURI(inner.RequestURI); err != nil {
		return problem.NotFound
	}
	x.take(m)
	return nil
}

// nameless is the request without its target, which may hold a link.
func nameless(r *http.Request) *http.Request {
	inner := r.WithContext(r.Context())
	inner.URL, inner.RequestURI = &url.URL{Path: "/"}, "/"
	return inner
}

var errExpired = problem.New(http.StatusGone, "This link has ended: open the file again from its conversation.")

// expired sends people who reload a page to where they get a new link, if they may. What a page loads is not sent on.
func (x *Exchange) expired() error {
	if len(x.engine.cfg.Origins) == 0 || x.Request.Header.Get("Sec-Fetch-Dest") != "document" {
		return errExpired
	}
	to, err := url.Parse(x.engine.cfg.Origins[0] + x.Request.RequestURI)
	if err != nil {
		return errExpired
	}
	return x.Redirect(to)
}
