package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/guard"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// ServeHTTP takes one request along the one way: parse, classify, identify, authorise, treat.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &Exchange{Writer: w, Request: r, engine: e}
	defer x.recover()
	if err := x.serve(); err != nil && !x.answered {
		x.note(err)
		e.write(w, r, err)
	}
}

func (x *Exchange) serve() error {
	x.receive()
	defer x.leave()
	defer x.shares.release()
	target, err := parseTarget(x.Request.RequestURI)
	if err != nil {
		return err
	}
	x.Target = target
	m, found := x.engine.table.find(x.Request.Method, target)
	if target.fileName >= 0 && !found {
		return notCanonical
	}
	switch {
	case !found:
		return x.unknown()
	case m.row.WebSocket && m.row.Treatment != Deny:
		x.take(m)
		return x.serveSocket()
	}
	x.take(m)
	return x.serveOperation()
}

func (x *Exchange) take(m match) {
	x.Operation, x.params, x.canonical = &m.row.Operation, m.params, m.canonical
}

func (x *Exchange) serveOperation() error {
	caller, err := x.identify()
	if err != nil || x.answered {
		return err
	}
	x.Caller = caller
	if ambient(caller.Credential.Form) {
		if err := x.engine.origins.check(x.Request); err != nil {
			return err
		}
	}
	return x.serveCaller()
}

// serveCaller goes on when it is known who is calling.
func (x *Exchange) serveCaller() error {
	if err := x.shares.take(x.engine.fair.requestsByUser, x.user()); err != nil {
		return err
	}
	if err := x.authorise(x.Request.Context()); err != nil {
		return err
	}
	if err := x.share(); err != nil {
		return err
	}
	if err := x.bound(); err != nil {
		return err
	}
	return x.treat()
}

// identify asks who is calling. People who navigate without a credential are sent to the login page.
func (x *Exchange) identify() (access.Caller, error) {
	caller, err := x.engine.cfg.Gate.Identify(x.Request)
	if err != nil && isUnauthorized(err) && navigation(x.Request) {
		x.answered = true
		toLogin(x.Writer, x.engine.cfg.LoginPath, x.Target)
		return caller, nil
	}
	if needsFactor(err) && navigation(x.Request) {
		x.answered = true
		toLogin(x.Writer, x.engine.cfg.FactorPath, x.Target)
		return caller, nil
	}
	if err == nil && caller.Principal == nil {
		return caller, problem.Unauthorized
	}
	if err != nil {
		return caller, err
	}
	return caller, x.engine.origins.host(x.Request, caller.Credential.Form)
}

// authorise finds the object of the path and asks for the operation's permission on it, or in the current team.
func (x *Exchange) authorise(ctx context.Context) error {
	err := x.judge(ctx)
	if x.Operation.Treatment == Deny && errors.Is(err, access.ErrForbidden) {
		return denied // it is nobody's role that is missing
	}
	return err
}

func (x *Exchange) judge(ctx context.Context) error {
	id, found, same := x.params.id()
	if !found || !guard.Stands(guard.Own) {
		return x.Principal().In(x.Principal().CurrentTeam, x.Operation.Permission)
	}
	object, known := x.engine.cfg.Objects.Known(id)
	if !known {
		var err error
		if object, err = x.engine.cfg.Objects.Find(ctx, id); err != nil {
			return err
		}
	}
	err := x.Principal().On(object, x.Operation.Permission)
	if !same {
		err = access.ErrHidden
	}
	if err == nil {
		x.Object = object
		return nil
	}
	return x.engine.refuse(ctx, err, known)
}

// refuse asks, where the answer was known, for what does not exist: what is hidden must not be told from it by the time that
// the answer takes, nor by what the answer is when the database is away.
func (e *Engine) refuse(ctx context.Context, err error, known bool) error {
	if !known || !errors.Is(err, access.ErrHidden) {
		return err
	}
	if _, failed := e.cfg.Objects.Find(ctx, uuid.New()); failed != nil {
		return failed
	}
	return err
}

// bound limits the body, in size and in time, before anybody reads it.
func (x *Exchange) bound() error {
	if x.body == nil {
		return nil
	}
	limit := or(x.Operation.MaxBody, x.engine.cfg.MaxBody)
	if x.Request.ContentLength > limit {
		return tooLarge
	}
	x.Request.Body = x.body
	if x.Request.ContentLength < 0 {
		x.Request.Body = http.MaxBytesReader(x.Writer, x.body, limit)
	}
	return nil
}

var denied = problem.New(http.StatusForbidden, "This operation is not available on this server.")

func (x *Exchange) treat() error {
	switch {
	case x.Operation.Handle != nil:
		return x.Operation.Handle(x)
	case x.Operation.Treatment == Deny:
		return denied
	}
	return x.Forward(Outgoing{})
}

// unknown answers for what no row names: the pages of the fallback, and 404 to those who are signed in.
func (x *Exchange) unknown() error {
	r := x.Request
	inside := x.engine.namespace[firstSegment(x.Target.Path)]
	page := !inside && x.engine.cfg.Fallback != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead)
	if public, ok := x.engine.cfg.Fallback.(PublicHandler); page && ok && public.Public(r) {
		x.answered = true
		public.ServeHTTP(x.Writer, r)
		return nil
	}
	caller, err := x.identify()
	if err != nil || x.answered {
		return err
	}
	if page {
		x.answered = true
		x.engine.cfg.Fallback.ServeHTTP(x.Writer, r.WithContext(withCaller(r.Context(), caller)))
		return nil
	}
	x.engine.digest.unknown.add(shapeOf(r.Method, x.Target.Path), struct{}{})
	return problem.NotFound
}

func firstSegment(path string) string {
	name, _, _ := strings.Cut(path[1:], "/")
	return name
}

// recover keeps a mistake in one request from becoming a reset connection. net/http's own abort passes.
func (x *Exchange) recover() {
	fault := recover()
	if fault == nil {
		return
	}
	if fault == http.ErrAbortHandler { //nolint:errorlint // net/http compares so, too
		panic(fault)
	}
	x.engine.cfg.Log.Error("a handler panicked", "path", clip(x.Target.Path), "fault", fault, "stack", string(debug.Stack()))
	if x.answered {
		panic(http.ErrAbortHandler)
	}
	x.engine.write(x.Writer, x.Request, errPanic)
}

var errPanic = errors.New("a handler panicked")

// errRole is read by people: the UI shows it as it is.
var errRole = problem.New(http.StatusForbidden, "Your role in this team does not allow this. Ask an Admin or an Owner of the team.")

// These are for those who made the key.
var (
	errScope = problem.New(http.StatusForbidden, "The scope of this API key does not allow this. Use a key with a higher scope.")
	errBound = problem.New(http.StatusForbidden, "This API key is bound to another team. Use a key of this team, or one that is bound to none.")
)

// translate gives the answers of the access package their statuses.
func translate(err error) error {
	switch {
	case errors.Is(err, access.ErrHidden):
		return problem.NotFound
	case errors.Is(err, access.ErrScope):
		return errScope
	case errors.Is(err, access.ErrBound):
		return errBound
	case errors.Is(err, access.ErrFactor):
		return errFactor
	case errors.Is(err, access.ErrForbidden):
		return errRole
	}
	return err
}

// errFactor is what the gate answers for a user who must have a second factor; a team that demands one answers the same.
var errFactor = problem.New(http.StatusForbidden, "SECOND_FACTOR_REQUIRED")

func needsFactor(err error) bool { return err != nil && problem.Of(err).Detail == errFactor.Detail }

func isUnauthorized(err error) bool {
	p, ok := errors.AsType[*problem.Error](err)
	return ok && p.Status == http.StatusUnauthorized
}

// navigation says whether a person opens a page, rather than a script asking.
func navigation(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// toLogin keeps the way back, but never a key that stood in the query.
func toLogin(w http.ResponseWriter, login string, t Target) {
	back := t.Path
	if t.RawQuery != "" && !t.query.Has("session_api_key") {
		back += "?" + t.RawQuery
	}
	h := w.Header()
	h.Set("Location", login+"?return="+url.QueryEscape(back))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusFound)
}

// clip bounds what a stranger can write into the log.
func clip(s string) string { return s[:min(len(s), 200)] }
