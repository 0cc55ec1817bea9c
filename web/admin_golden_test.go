package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/mail"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/ratelimit"
	"github.com/openhands-saas/openhands-saas/internal/sealed"
	"github.com/openhands-saas/openhands-saas/web"
)

// passing are what differs from run to run, and what stands for it in a golden.
var passing = []struct{ what, stands string }{
	{`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f-]{17}`, "ID"}, {`20\d\d-\d\d-\d\d \d\d:\d\d( UTC)?`, "TIME"}, {`\d\d:\d\d UTC`, "TIME"}, {`20\d\d-\d\d-\d\d`, "DAY"},
	{`reset/[A-Z2-7]{52}`, "reset/TOKEN"}, {`page_id=[\w-]+`, "page_id=PAGE"},
}

func steady(page string) string {
	for _, p := range passing {
		page = regexp.MustCompile(p.what).ReplaceAllString(page, p.stands)
	}
	return page
}

func TestThePagesOfAdministratorsLookAsAgreed(t *testing.T) {
	t.Parallel()
	var limiter *ratelimit.Limiter
	var db *postgres.DB
	var outbox *mail.Outbox
	s := newSite(t, withBans(&limiter), func(a *auth.Config, w *web.Config) {
		keys, _, err := sealed.New()
		if err != nil {
			t.Fatal(err)
		}
		db, outbox = a.DB, mail.New(mail.Config{DB: a.DB, Seal: keys, Site: "https://agents.example.com"})
		a.PublicURL, w.Outbox = "https://agents.example.com", outbox
		w.Entries = func(*http.Request) ([]web.Entry, error) {
			at := time.Now()
			return []web.Entry{{Who: "root@example.com", Reason: "ticket <4711>", From: at, Until: at.Add(time.Hour)}}, nil
		}
	})
	_, root := s.superuser("root@example.com")
	name := "Bob <script>alert(1)</script>"
	if _, err := s.auth.Register(t.Context(), auth.Registration{Email: "bob@example.com", Password: password, Name: &name}); err != nil {
		t.Fatal(err)
	}
	bob := "/account/admin/users/" + s.idOf("bob@example.com")
	golden := map[string]string{
		"admin":              body(t, s.get("/account/admin", root)),
		"admin-none":         body(t, s.get("/account/admin?q=%22%3E%3Cb%3E&status=suspended", root)),
		"admin-faults":       body(t, s.post("/account/admin", url.Values{"email": {"x"}, "name": {"X"}}, root)),
		"admin-user":         body(t, s.get(bob, root)),
		"admin-user-link":    body(t, s.post(bob, url.Values{"do": {"setup-link"}}, root)),
		"admin-delete":       body(t, s.get(bob+"/delete", root)),
		"admin-mail-none":    body(t, s.get("/account/admin/mail", root)),
		"admin-bans-none":    body(t, s.get("/account/admin/bans", root)),
		"delete":             body(t, s.get("/account/delete", root)),
		"account-superuser":  body(t, s.get("/account/", root)),
		"admin-last":         body(t, s.post("/account/admin/users/"+s.idOf("root@example.com"), url.Values{"do": {"suspend"}}, root)),
		"delete-last":        body(t, s.post("/account/delete", url.Values{"password": {password}}, root)),
		"admin-suspended":    "",
		"admin-mail-waiting": "",
		"admin-bans":         "",
	}
	s.post(bob, url.Values{"do": {"suspend"}}, root)
	golden["admin-suspended"] = body(t, s.get(bob, root))
	err := db.InTx(t.Context(), func(tx *postgres.Tx) error {
		return outbox.Put(t.Context(), tx, mail.Message{To: "bob@example.com", Template: "reset", Data: map[string]string{"link": "https://agents.example.com/account/reset/x"}})
	})
	if err != nil {
		t.Fatal(err)
	}
	golden["admin-mail-waiting"] = body(t, s.get("/account/admin/mail", root))
	if err := limiter.Ban(t.Context(), ratelimit.KindIP, "192.0.2.7", time.Hour, "<i>too often</i>", "root@example.com"); err != nil {
		t.Fatal(err)
	}
	golden["admin-bans"] = body(t, s.get("/account/admin/bans", root))
	for name, page := range golden {
		if strings.Contains(page, "<script>") || strings.Contains(page, "<i>") || strings.Contains(page, "<b>") {
			t.Errorf("%s: what somebody typed is markup", name)
		}
		compare(t, name, steady(page))
	}
}
