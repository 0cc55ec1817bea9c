package app_test

import (
	"net/http"
	"testing"

	"github.com/openhands-saas/openhands-saas/config"
)

// TestNobodySignsUpThroughANameThatIsNotOurs is about DNS rebinding: a page of any site whose name was made to point here.
func TestNobodySignsUpThroughANameThatIsNotOurs(t *testing.T) {
	t.Parallel()
	s := newSite(t, anonymous, func(cfg *config.Config) { cfg.PublicURL = "https://agents.example.com" })
	asks := []struct {
		method, path, body, kind string
		status                   int // on a host that is ours
	}{
		{"POST", "/api/auth/register", `{}`, "Content-Type: application/json", http.StatusUnprocessableEntity},
		{"POST", "/api/auth/register-with-team", `{}`, "Content-Type: application/json", http.StatusUnprocessableEntity},
		{"POST", "/account/register", "", formType, http.StatusUnprocessableEntity},
		{"GET", "/api/teams", "", formType, http.StatusOK}, // as the anonymous tenant
	}
	for _, ask := range asks {
		for _, host := range []string{"rebound.example:3001", "localhost.evil.example"} {
			if res := s.do(ask.method, ask.path, ask.body, ask.kind, "Host: "+host); res.StatusCode != http.StatusMisdirectedRequest {
				t.Errorf("%s on %s: %d %s", ask.path, host, res.StatusCode, res.body)
			}
		}
		for _, host := range []string{"agents.example.com", "localhost:3001", "127.0.0.1:3001", "[::1]:3001"} {
			if res := s.do(ask.method, ask.path, ask.body, ask.kind, "Host: "+host); res.StatusCode != ask.status {
				t.Errorf("%s on %s: %d %s, want %d", ask.path, host, res.StatusCode, res.body, ask.status)
			}
		}
	}
}
