package app_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/config"
)

func TestTheContentHostServesNothingOfOurs(t *testing.T) {
	t.Parallel()
	s := newSite(t, anonymous, func(cfg *config.Config) {
		cfg.PublicURL, cfg.ContentURL = "https://agents.example.com", "https://content.example.com"
	})
	paths := []string{"/", "/account/login", "/api/auth/users/me", "/api/teams", "/healthz", "/readyz", "/api/conversations/count", "/account/assets/style.css", "/server_info"}
	for _, host := range []string{"content.example.com", "Content.Example.COM", "content.example.com.", "content.example.com:443", "content.example.com:3001", "CONTENT.example.com.:80"} {
		for _, path := range paths {
			s.do("GET", path, "", "Host: "+host).want(t, path+" on "+host, http.StatusNotFound, notFound)
		}
		res := s.do("POST", "/api/auth/register", `{"email":"ada@example.com","password":"`+password+`"}`, jsonType, "Host: "+host)
		res.want(t, "registering on "+host, http.StatusNotFound, notFound)
	}
	for _, host := range []string{"agents.example.com", "localhost", "127.0.0.1", "content.example.com.evil.example", "xcontent.example.com"} {
		if res := s.do("GET", "/healthz", "", "Host: "+host); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", host, res.StatusCode, res.body)
		}
	}
}

func TestAPortAloneMayTellTheContentOrigin(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(cfg *config.Config) {
		cfg.PublicURL, cfg.ContentURL = "https://agents.example.com", "https://agents.example.com:8443"
	})
	for host, want := range map[string]int{"agents.example.com": 200, "agents.example.com:443": 200, "agents.example.com:8443": 404, "AGENTS.example.com.:8443": 404} {
		if res := s.do("GET", "/healthz", "", "Host: "+host); res.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", host, res.StatusCode, strings.TrimSpace(res.body), want)
		}
	}
}
