package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Forward sends the request to the upstream and streams the answer to the client, scrubbed and masked. Failures are answered
// too, so it returns nil but for mistakes of the handler.
func (x *Exchange) Forward(o Outgoing) error {
	target, err := x.engine.target(x.path(o), x.query(o))
	if err != nil {
		return err
	}
	f := forwarding{x: x, o: o, target: target}
	x.answered = true
	f.watchUpload()
	defer f.release()
	proxy := httputil.ReverseProxy{
		Rewrite:        f.rewrite,
		Transport:      x.engine.upstream,
		BufferPool:     &x.engine.upstream.buffers,
		ModifyResponse: f.modify,
		ErrorHandler:   f.fail,
		ErrorLog:       x.engine.debug,
	}
	proxy.ServeHTTP(quietWriter{x.Writer}, x.Request)
	return nil
}

// forwarding is one Forward in its course.
type forwarding struct {
	x       *Exchange
	o       Outgoing
	target  *url.URL
	watched []func() // removes what was registered
}

// rewrite runs after hop-by-hop headers were removed, so that a client cannot have ours removed.
func (f *forwarding) rewrite(r *httputil.ProxyRequest) {
	r.Out.URL, r.Out.Host = f.target, f.target.Host
	if f.o.Method != "" {
		r.Out.Method = f.o.Method
	}
	strip(r.Out.Header, f.x.engine.custom)
	load(r.Out, f.o)
	f.x.engine.identity(r.Out.Header, r.In, f.x.Principal(), f.x.Team())
}

func (f *forwarding) modify(res *http.Response) error {
	if err := f.x.engine.scrub(res); err != nil {
		return err
	}
	if f.o.Edit != nil {
		if err := f.o.Edit(res); err != nil {
			return err
		}
	}
	f.x.engine.maskAll(res)
	f.watchBody(res)
	if f.o.Ranges {
		narrow(f.x.Request.Header, res)
	}
	return nil
}

// fail answers in place of the upstream. A client that went away gets nothing.
func (f *forwarding) fail(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case f.x.body.broken():
		err = tooSlow
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		return
	}
	f.x.engine.write(w, r, unreachable(err))
}

// quietWriter keeps informational responses of the upstream from the client: their headers would pass unscrubbed.
type quietWriter struct{ http.ResponseWriter }

// WriteHeader drops 1xx.
func (w quietWriter) WriteHeader(status int) {
	if status >= http.StatusOK {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Unwrap lets http.ResponseController reach flushing.
func (w quietWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// write answers with an error: what may not be seen as what does not exist.
func (e *Engine) write(w http.ResponseWriter, r *http.Request, err error) {
	p := problem.Of(translate(err))
	if p.Status >= http.StatusInternalServerError {
		e.cfg.Log.Warn("a request failed", "method", r.Method, "path", clip(r.URL.Path), "status", p.Status, "error", e.mask.text(p.Error()))
	}
	problem.Write(w, p)
}
