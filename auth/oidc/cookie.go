package oidc

import (
	"net/http"
	"time"
)

func (s *Service) cookieName() string {
	if s.cfg.Secure {
		return "__Host-openhands_oauth"
	}
	return "openhands_oauth"
}

// cookie ties a state to the browser that it was made for. Lax, because the browser comes back from another site.
func (s *Service) cookie(value string, lifetime time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: s.cookieName(), Value: value, Path: "/", MaxAge: int(lifetime / time.Second), Secure: s.cfg.Secure, HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
}

// CookieOf is what Finish needs of the request that came back.
func (s *Service) CookieOf(r *http.Request) string {
	c, err := r.Cookie(s.cookieName())
	if err != nil {
		return ""
	}
	return c.Value
}

// Forget is the cookie that removes what Begin left.
func (s *Service) Forget() *http.Cookie {
	c := s.cookie("", 0)
	c.MaxAge = -1
	return c
}
