package oidc

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"github.com/openhands-saas/openhands-saas/auth"
)

// How long somebody may take at the issuer.
const (
	programLifetime = time.Hour // for programs that asked for the URL: the contract's
	browserLifetime = 10 * time.Minute
)

// Begun is the beginning of a sign-in: where the browser goes, and what it must bring back.
type Begun struct {
	URL    string
	Cookie *http.Cookie
}

// Authorize begins a sign-in for a program, which sends a browser to the URL.
func (s *Service) Authorize(ctx context.Context, name, back string) (Begun, error) {
	return s.start(ctx, name, state{Return: back}, programLifetime)
}

// SignIn begins a sign-in for a browser. back is a path of ours to which it leads in the end; it must have been checked.
func (s *Service) SignIn(ctx context.Context, name, back string) (Begun, error) {
	return s.start(ctx, name, state{Return: back}, browserLifetime)
}

// Link begins the linking of an identity to the account of somebody who is signed in and has proved a moment ago who they are.
func (s *Service) Link(ctx context.Context, name string, id auth.Identity) (Begun, error) {
	if err := s.cfg.Auth.RequireFresh(id); err != nil {
		return Begun{}, err
	}
	return s.start(ctx, name, state{Subject: id.User.ID.String(), Session: id.Session.String()}, browserLifetime)
}

func (s *Service) start(ctx context.Context, name string, st state, lifetime time.Duration) (Begun, error) {
	p, err := s.find(name)
	if err != nil {
		return Begun{}, err
	}
	st.CSRF, st.Provider = rand.Text(), p.Name
	f, err := s.begin(st, lifetime)
	if err != nil {
		return Begun{}, fmt.Errorf("sign a state: %w", err)
	}
	ctx, cancel := s.calling(ctx)
	defer cancel()
	to, err := p.authorizeURL(ctx, f)
	if err != nil {
		return Begun{}, err
	}
	return Begun{URL: to, Cookie: s.cookie(st.CSRF, lifetime)}, nil
}
