package authhttp_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Whoever had the account may be asking for a key at the very moment in which its owner shuts them out.
func TestNoKeyIsMadeByWhatHasEndedMeanwhile(t *testing.T) {
	t.Parallel()
	s := withKeys(t, nil)
	s.register(t, "ann@example.com")
	session := s.login(t, "ann@example.com")
	var made struct {
		ID  string `json:"id"`
		Key string `json:"key"`
	}
	if err := json.Unmarshal(s.do("POST", "/api/keys", `{"name":"a"}`, jsonType, session).Body.Bytes(), &made); err != nil || made.Key == "" {
		t.Fatal("no key", err)
	}
	for path, credential := range map[string]string{"/api/keys": session, "/api/keys/" + made.ID + "/rotate": "X-Session-API-Key: " + made.Key} {
		waited := make(chan *httptest.ResponseRecorder, 1)
		err := s.db.InTx(t.Context(), func(tx *postgres.Tx) error {
			for _, statement := range []string{
				`SELECT FROM users FOR UPDATE`, `UPDATE sessions SET ended_at = now()`, `UPDATE api_keys SET revoked_at = now() WHERE revoked_at IS NULL`,
			} {
				if _, err := tx.ExecContext(t.Context(), statement); err != nil {
					return err
				}
			}
			go func() { waited <- s.do("POST", path, `{"name":"b"}`, jsonType, credential) }()
			return untilSomebodyWaits(t.Context(), s.db)
		})
		if err != nil {
			t.Fatal(err)
		}
		if w := <-waited; w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if _, err := s.db.ExecContext(t.Context(), `UPDATE sessions SET ended_at = NULL`); err != nil {
			t.Fatal(err)
		}
		if _, err := s.db.ExecContext(t.Context(), `UPDATE api_keys SET revoked_at = NULL`); err != nil {
			t.Fatal(err)
		}
	}
}

// untilSomebodyWaits returns once a transaction of this database waits for another.
func untilSomebodyWaits(ctx context.Context, db *postgres.DB) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for waits := false; !waits; {
		err := db.GetContext(ctx, &waits, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`)
		if err != nil {
			return err
		}
	}
	return nil
}
