package app_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/app"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/proxy"
)

func TestHiddenAccessIsOneAuditLineWithACountAndNoId(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	db := dbtest.Open(t, url)
	s := open(t, settings(t, url, newUpstream(t)), app.Options{})
	t.Cleanup(func() { _ = s.app.Close() })
	user := uuid.New()
	for _, p := range []*access.Principal{{User: user, Email: "eve@example.com"}, {Anonymous: true}} {
		s.app.RecordHidden(t.Context(), proxy.Hidden{
			Caller: access.Caller{Principal: p}, Path: "/api/conversations/{conversation_id}", Count: 17,
		})
	}
	if n := count(t, db, `
		SELECT count(*)
		FROM audit_log
		WHERE action = 'access.hidden' AND object = '/api/conversations/{conversation_id}' AND detail = '{"count": 17}'
		  AND (actor_id = $1 AND actor = 'eve@example.com' OR actor_id IS NULL AND actor = 'anonymous')`, user); n != 2 {
		t.Errorf("%d lines of the two are as they should be", n)
	}
}
