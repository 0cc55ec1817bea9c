package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// maxReply bounds what is read into memory.
const maxReply = 16 << 20

// Fetch asks the upstream on behalf of the caller and reads the answer whole. A failure of the upstream is a problem with an
// UpstreamError as its cause, and then the reply is there too, with its status but no body.
func (x *Exchange) Fetch(ctx context.Context, o Outgoing) (*Reply, error) {
	o.Path = x.path(o)
	o.Method = or(o.Method, x.Request.Method)
	return x.engine.fetch(ctx, asker{in: x.Request, principal: x.Principal(), team: x.Team()}, o, x.query(o))
}

// Call asks the upstream without a client's request: at start, to reconcile. p may be nil: then no identity is sent.
func (e *Engine) Call(ctx context.Context, p *access.Principal, o Outgoing) (*Reply, error) {
	a := asker{principal: p}
	if p != nil {
		a.team = p.CurrentTeam
	}
	o.Method = or(o.Method, http.MethodGet)
	return e.fetch(ctx, a, o, o.Query.Encode())
}

// asker is on whose behalf something is fetched.
type asker struct {
	in        *http.Request
	principal *access.Principal
	team      uuid.UUID
}

func (e *Engine) fetch(ctx context.Context, a asker, o Outgoing, query string) (*Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.patience(o.Method))
	defer cancel()
	req, err := e.request(ctx, a, o, query)
	if err != nil {
		return nil, err
	}
	res, err := e.upstream.RoundTrip(req) // a client would follow redirects
	if err != nil {
		return nil, unreachable(err)
	}
	defer func() { _ = res.Body.Close() }()
	return e.read(res)
}

func (e *Engine) request(ctx context.Context, a asker, o Outgoing, query string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, o.Method, e.upstream.url.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	if err := e.aim(req, o.Path, query); err != nil {
		return nil, err
	}
	maps.Copy(req.Header, o.Header)
	load(req, o)
	req.Header["Accept"] = []string{"application/json"}
	e.identity(req.Header, a.in, a.principal, a.team)
	return req, nil
}

func (e *Engine) read(res *http.Response) (*Reply, error) {
	status := res.StatusCode
	if err := e.scrub(res); err != nil {
		p := *problem.Of(err)
		if p.Status >= http.StatusInternalServerError {
			p.Status = http.StatusBadGateway
		}
		return &Reply{Status: status, Header: http.Header{}}, &p
	}
	e.maskAll(res)
	body, err := io.ReadAll(io.LimitReader(res.Body, maxReply+1))
	if err != nil {
		return nil, unreachable(fmt.Errorf("read the upstream's answer: %w", err))
	}
	if len(body) > maxReply {
		return nil, problem.New(http.StatusBadGateway, "The OpenHands backend's answer is too large: ask for less.").Because(errors.New("answer over 16 MiB"))
	}
	return &Reply{Status: status, Header: res.Header, Body: body}, nil
}
