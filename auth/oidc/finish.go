package oidc

import (
	"context"
	"net/http"
	"time"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Answer is what came back from an issuer, by way of a browser.
type Answer struct {
	Code, State, Error, Issuer string
	Cookie                     string         // CookieOf the request
	Identity                   *auth.Identity // who is signed in in this browser; nil: nobody
	From                       auth.Client
}

// Outcome is what came of it.
type Outcome struct {
	Linked  bool   // an identity was linked; nobody's session changed
	Return  string // what Authorize or SignIn were given
	Cookie  string // the only copy of the new browser session's token
	Expires time.Time
}

// Finish takes an answer to its end: a session, or a linked identity.
func (s *Service) Finish(ctx context.Context, name string, a Answer) (Outcome, error) {
	p, err := s.find(name)
	if err != nil {
		return Outcome{}, err
	}
	f, who, err := s.judge(ctx, p, a)
	if err != nil {
		return Outcome{}, err
	}
	if f.Subject != "" {
		return Outcome{Linked: true}, s.link(ctx, p, f, who, a.Identity)
	}
	user, err := s.recognise(ctx, p, who)
	if err != nil {
		return Outcome{}, err
	}
	if err := s.cfg.Auth.MaySignIn(user); err != nil {
		return Outcome{}, err
	}
	out := Outcome{Return: f.Return}
	out.Cookie, out.Expires, err = s.cfg.Auth.GrantBrowser(ctx, auth.SignIn{User: user.ID, Method: p.Name, From: a.From})
	return out, err
}

// judge returns whom a genuine answer is about. What can be refused without asking anybody is refused first.
func (s *Service) judge(ctx context.Context, p *provider, a Answer) (flow, claims, error) {
	if a.Error != "" {
		return flow{}, claims{}, problem.New(http.StatusBadRequest, clip(a.Error, maxError))
	}
	if a.Code == "" {
		return flow{}, claims{}, problem.New(http.StatusBadRequest, http.StatusText(http.StatusBadRequest))
	}
	f, err := s.resume(p, a.State, a.Cookie)
	if err != nil {
		return flow{}, claims{}, err
	}
	if err := s.cfg.Auth.AdmitExternal(ctx, a.From); err != nil {
		return flow{}, claims{}, err
	}
	ctx, cancel := s.calling(ctx)
	defer cancel()
	if p.mixedUp(ctx, a.Issuer) {
		return flow{}, claims{}, errState
	}
	if err := s.spend(ctx, f); err != nil {
		return flow{}, claims{}, err
	}
	who, err := p.redeem(ctx, f, a.Code)
	return f, who, err
}

// maxError is how much of an issuer's error is repeated.
const maxError = 200
