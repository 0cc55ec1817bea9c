package web_test

import (
	"flag"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the pages to testdata instead of comparing them")

func TestPagesLookAsAgreed(t *testing.T) {
	t.Parallel()
	s := newSite(t, anonymous)
	s.user("ada@example.com")
	signedIn := session(t, s.post("/account/login", url.Values{"email": {"ada@example.com"}, "password": {password}}))
	token, _, err := s.auth.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]*http.Response{
		"login":           s.get("/account/login?return=%2Fconversations%2F1"),
		"login-signed-in": s.get("/account/login", signedIn),
		"login-wrong":     s.post("/account/login", url.Values{"email": {"ada@example.com"}, "password": {"wrong"}}),
		"register":        s.get("/account/register"),
		"register-faults": s.post("/account/register", url.Values{"email": {"ada"}, "password": {"short"}, "name": {"Ada"}, "team_name": {"Engine"}}),
		"setup-gone":      s.get("/account/setup/none"),
		"forgot":          s.get("/account/forgot"),
		"reset-gone":      s.get("/account/reset/none"),
		"unverified":      s.get("/account/verify"),
	}
	for name, res := range pages {
		compare(t, name, body(t, res))
	}
	if res := s.get("/account/setup/" + token); res.StatusCode != http.StatusOK {
		t.Errorf("setup is %d", res.StatusCode)
	}
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden.html")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); -update writes it:\n%s", name, diff)
	}
}
