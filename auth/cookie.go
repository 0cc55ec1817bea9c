package auth

import (
	"net/http"
	"time"
)

// CookieName is the name of the browser session's cookie. On https the prefix makes browsers refuse it from any other host.
func CookieName(secure bool) string {
	if secure {
		return "__Host-openhands_session"
	}
	return "openhands_session"
}

// NewCookie makes the browser session's cookie.
func NewCookie(name string, secure bool, value string, expires time.Time) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", Expires: expires.UTC(), Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// ExpiredCookie makes the cookie that removes the browser session's.
func ExpiredCookie(name string, secure bool) *http.Cookie {
	c := NewCookie(name, secure, "", time.Unix(1, 0))
	c.MaxAge = -1
	return c
}
