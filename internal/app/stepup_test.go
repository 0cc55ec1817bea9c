package app_test

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
)

// A session that was left open, or stolen, must not be enough to take the account from somebody who has a second factor.
func TestWhoHasASecondFactorProvesItBeforeWhatTheySignInWithChanges(t *testing.T) {
	t.Parallel()
	m := newSite(t).holder("ann@example.com").enrol()
	id := uuid.MustParse(field[string](t, m.call("GET", "/api/users/me", ""), "id"))
	if err := m.app.Execute(t.Context(), `UPDATE sessions SET proved_at = now() - interval '11 minutes', factor_at = now() - interval '11 minutes'`); err != nil {
		t.Fatal(err)
	}
	if err := m.app.Announce(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{`{"password":"another horse"}`, `{"email":"eve@example.com"}`} {
		m.call("PATCH", "/api/users/me", body).want(t, body, http.StatusForbidden, `{"detail":"STEP_UP_REQUIRED"}`)
	}
	m.call("PATCH", "/api/users/me", `{"name":"Ann"}`).is(t, "a name", http.StatusOK)
	m.call("POST", "/api/auth/step-up", `{"code":"`+m.code(1)+`"}`).is(t, "a fresh proof", http.StatusNoContent)
	m.call("PATCH", "/api/users/me", `{"password":"another horse"}`).is(t, "the password", http.StatusOK)
}
