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

// The cookies between two steps of signing in, without the prefix.
const (
	FactorCookie  = "openhands_factor"  // the challenge that waits for a second factor
	PasskeyCookie = "openhands_passkey" // to whom a passkey was asked for
)

const stepFor = 5 * time.Minute

// NewStepCookie makes such a cookie: what is in it, no other browser has. It comes along where another site's page led here, because an
// issuer's may have.
func NewStepCookie(name string, secure bool, value string) *http.Cookie {
	c := NewCookie(stepName(name, secure), secure, value, time.Time{})
	c.MaxAge = int(stepFor.Seconds())
	return c
}

// ExpiredStepCookie makes the cookie that removes it.
func ExpiredStepCookie(name string, secure bool) *http.Cookie {
	return ExpiredCookie(stepName(name, secure), secure)
}

// StepFrom returns what is in such a cookie; "" without one.
func StepFrom(r *http.Request, name string, secure bool) string {
	cookie, err := r.Cookie(stepName(name, secure))
	if err != nil {
		return ""
	}
	return cookie.Value
}

func stepName(name string, secure bool) string {
	if secure {
		return "__Host-" + name
	}
	return name
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
