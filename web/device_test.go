package web_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/device"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/web"
)

// noKeys makes no keys: on these pages nobody fetches one.
type noKeys struct{}

func (noKeys) MakeKey(context.Context, auth.User, string, []string, func(context.Context, *postgres.Tx) error) (string, error) {
	panic("a page made a key")
}

func TestThePagesAboutDevicesLookAsAgreed(t *testing.T) {
	t.Parallel()
	var devices *device.Service
	s := newSite(t, func(a *auth.Config, w *web.Config) {
		devices = device.New(device.Config{DB: a.DB, Keys: noKeys{}, Secret: a.JWTSecret, Page: "https://agents.example.com/account/device"})
		w.Devices = devices
	})
	s.user("ada@example.com")
	cookie := session(t, s.post("/account/login", url.Values{"email": {"ada@example.com"}, "password": {password}}))
	ask := func(name, scope string) string {
		g, err := devices.Start(t.Context(), name, scope, auth.Client{IP: "198.51.100.7", UserAgent: "tool"})
		if err != nil {
			t.Fatal(err)
		}
		return g.UserCode
	}
	approved, denied := ask(`<b onload="x">build</b>`, "read"), ask("", "")
	page := func(name, code string, res *http.Response) {
		t.Helper()
		compare(t, name, strings.ReplaceAll(body(t, res), code, "BCDF-GHJK"))
	}
	page("device", approved, s.get("/account/device?user_code="+approved, cookie))
	page("device-asks", approved, s.post("/account/device", url.Values{"user_code": {approved}}, cookie))
	page("device-approved", approved, s.post("/account/device", url.Values{"user_code": {approved}, "decision": {"approve"}}, cookie))
	page("device-writes", denied, s.post("/account/device", url.Values{"user_code": {denied}}, cookie))
	page("device-denied", denied, s.post("/account/device", url.Values{"user_code": {denied}, "decision": {"deny"}}, cookie))
	page("device-unknown", approved, s.post("/account/device", url.Values{"user_code": {approved}}, cookie))
}

func TestAnotherSitesPageCannotApproveADevice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.user("ada@example.com")
	cookie := session(t, s.post("/account/login", url.Values{"email": {"ada@example.com"}, "password": {password}}))
	res := s.postFrom("cross-site", "/account/device", url.Values{"user_code": {"BCDF-GHJK"}, "decision": {"approve"}}, cookie)
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("got %d", res.StatusCode)
	}
}
