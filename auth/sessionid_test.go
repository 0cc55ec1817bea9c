package auth_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

func TestASessionIsKnownByItsIdAsLongAsItLives(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	_, s := fresh(t, func(c *auth.Config) { c.Now, c.SessionIdle = now.Now, time.Hour })
	ann, bob := register(t, s, "ann@example.com"), register(t, s, "bob@example.com")
	token := identify(t, s, login(t, s, "ann@example.com"))
	cookie := identify(t, s, browse(t, s, "ann@example.com"))
	for _, known := range []auth.Identity{token, cookie} {
		got := identify(t, s, access.OfSession(ann.ID, known.Session))
		if got.User.ID != ann.ID || got.Session != known.Session || got.Expires.After(known.Expires) {
			t.Errorf("got %+v, want %+v", got, known)
		}
	}
	for name, c := range map[string]access.Credential{
		"another user's":  access.OfSession(bob.ID, token.Session),
		"an unknown one":  access.OfSession(ann.ID, uuid.New()),
		"nobody's":        access.OfSession(uuid.Nil, token.Session),
		"half of one":     {Form: access.FormSession, Token: ann.ID.String()},
		"one as a cookie": {Form: access.FormCookie, Token: access.OfSession(ann.ID, token.Session).Token},
		"one as a bearer": {Form: access.FormBearer, Token: access.OfSession(ann.ID, token.Session).Token},
		"one as a key":    {Form: access.FormKey, Token: access.OfSession(ann.ID, token.Session).Token},
	} {
		if _, err := s.Authenticate(t.Context(), c); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if err := s.End(t.Context(), token.Session); err != nil {
		t.Fatal(err)
	}
	_, err := s.Authenticate(t.Context(), access.OfSession(ann.ID, token.Session))
	refused(t, err, 401, "")
	now.Advance(time.Hour + time.Second)
	_, err = s.Authenticate(t.Context(), access.OfSession(ann.ID, cookie.Session))
	refused(t, err, 401, "")
}
