package web_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/web"
)

// The teams that everybody on these pages has.
const engines = "00000000-0000-4000-8000-000000000001"

// keyed gives a site API keys and a time that the test sets.
func keyed(now *time.Time) option {
	return func(a *auth.Config, w *web.Config) {
		a.Now = func() time.Time { return *now }
		keys := apikey.New(apikey.Config{DB: a.DB, Now: a.Now, MayBind: func(context.Context, *postgres.Tx, uuid.UUID, uuid.UUID) error { return nil }})
		a.Keys, w.Keys = keys, keys
		w.Teams = func(*http.Request) ([]web.Team, error) {
			return []web.Team{{ID: uuid.NewString(), Name: "Own", Current: true}, {ID: engines, Name: "Engines & <Co>"}}, nil
		}
		if _, err := a.DB.Exec(`INSERT INTO teams (id, name) VALUES ($1, 'Engines')`, engines); err != nil {
			panic(err)
		}
	}
}

var (
	secretOnPage = regexp.MustCompile(`oh_[0-9A-Za-z]{36}`)
	keyOnPage    = regexp.MustCompile(`name="revoke" value="([0-9a-f-]{36})"`)
	anyID        = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)
	anyPrefix    = regexp.MustCompile(`oh_[0-9A-Za-z]{7}…`)
)

func TestAKeyIsMadeOnThePageShownOnceAndRevoked(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second) // as Postgres keeps it
	s := newSite(t, keyed(&now))
	s.user("ada@example.com")
	ada := s.signIn("ada@example.com", firefox)
	accepted := func(secret string) bool {
		_, err := s.auth.Authenticate(t.Context(), access.Credential{Form: access.FormKey, Token: secret})
		return err == nil
	}
	res := s.post("/account/keys", url.Values{"name": {"laptop"}, "scope": {"read"}, "lasts": {"30"}, "team": {engines}}, ada)
	made := body(t, res)
	secret := secretOnPage.FindString(made)
	if res.StatusCode != http.StatusCreated || !accepted(secret) || res.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v %s", res.StatusCode, res.Header, made)
	}
	id, err := s.auth.Authenticate(t.Context(), access.Credential{Form: access.FormKey, Token: secret})
	if err != nil || id.Scope != access.ScopeRead || id.Bound.String() != engines || id.Expires.After(now.AddDate(0, 0, 30)) {
		t.Errorf("%+v, %v", id, err)
	}
	later := body(t, s.get("/account/keys", ada))
	if strings.Contains(later, secret) || !strings.Contains(later, secret[:10]) {
		t.Errorf("the key is shown again, or not named: %s", later)
	}
	which := keyOnPage.FindStringSubmatch(later)[1]
	s.user("eve@example.com")
	if res := s.post("/account/keys", url.Values{"revoke": {which}}, s.signIn("eve@example.com", firefox)); res.StatusCode != http.StatusNotFound || !accepted(secret) {
		t.Errorf("somebody else revokes it: %d", res.StatusCode)
	}
	if res := s.post("/account/keys", url.Values{"revoke": {which}}, ada); res.StatusCode != http.StatusSeeOther || accepted(secret) {
		t.Errorf("it is not revoked: %d", res.StatusCode)
	}
	for _, other := range []string{which, "nonsense"} {
		if res := s.post("/account/keys", url.Values{"revoke": {other}}, ada); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", other, res.StatusCode)
		}
	}
}

func TestTheKeysPageLooksAsAgreed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 9, 5, 0, 0, time.UTC)
	s := newSite(t, keyed(&now))
	s.user("ada@example.com")
	ada := s.signIn("ada@example.com", firefox)
	golden := func(name, page string) {
		page = secretOnPage.ReplaceAllString(page, "oh_SECRET")
		compare(t, name, anyPrefix.ReplaceAllString(anyID.ReplaceAllString(page, "ID"), "oh_PREFIX…"))
	}
	golden("keys-none", body(t, s.get("/account/keys", ada)))
	s.post("/account/keys", url.Values{"name": {"<b>ci</b>"}, "scope": {"admin"}, "lasts": {""}}, ada)
	golden("keys-made", body(t, s.post("/account/keys", url.Values{"name": {"laptop"}, "scope": {"write"}, "lasts": {"90"}, "team": {engines}}, ada)))
	golden("keys-faults", body(t, s.post("/account/keys", url.Values{"name": {""}, "scope": {"write"}, "lasts": {"90"}}, ada)))
}

func TestTheKeysPageRefusesWhatItsFormDoesNotSend(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := newSite(t, keyed(&now))
	s.user("ada@example.com")
	ada := s.signIn("ada@example.com", firefox)
	for name, c := range map[string]struct {
		form   url.Values
		status int
	}{
		"a scope":       {url.Values{"name": {"a"}, "scope": {"root"}}, http.StatusUnprocessableEntity},
		"no scope":      {url.Values{"name": {"a"}}, http.StatusUnprocessableEntity},
		"a lifetime":    {url.Values{"name": {"a"}, "scope": {"read"}, "lasts": {"1000000"}}, http.StatusBadRequest},
		"a team":        {url.Values{"name": {"a"}, "scope": {"read"}, "team": {"x"}}, http.StatusBadRequest},
		"a long name":   {url.Values{"name": {strings.Repeat("a", 256)}, "scope": {"read"}}, http.StatusUnprocessableEntity},
		"an empty form": {url.Values{}, http.StatusUnprocessableEntity},
	} {
		if res := s.post("/account/keys", c.form, ada); res.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", name, res.StatusCode, c.status)
		}
	}
	now = now.Add(11 * time.Minute)
	if res := s.post("/account/keys", url.Values{"name": {"a"}, "scope": {"admin"}}, ada); res.StatusCode != http.StatusForbidden || !strings.Contains(body(t, res), "/account/step-up?return=/account/keys") {
		t.Errorf("a key for all without a fresh proof: %d", res.StatusCode)
	}
	for _, res := range []*http.Response{s.get("/account/keys"), s.post("/account/keys", url.Values{"name": {"a"}, "scope": {"read"}})} {
		if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/account/login" {
			t.Errorf("strangers: %d %s", res.StatusCode, res.Header.Get("Location"))
		}
	}
	if page := body(t, s.get("/account/keys", ada)); strings.Contains(page, `name="revoke"`) {
		t.Errorf("a key was made: %s", page)
	}
}
