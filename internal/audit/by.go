package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Line is an entry as it was written.
type Line struct {
	ID     int64           `json:"-" db:"id"`
	At     time.Time       `json:"at" db:"at"`
	Team   *uuid.UUID      `json:"team_id" db:"team_id"`
	Action string          `json:"action" db:"action"`
	Object string          `json:"object" db:"object"`
	Detail json.RawMessage `json:"detail" db:"detail"`
}

// By returns at most limit lines about what somebody did, the oldest first, behind the one with the id after.
func By(ctx context.Context, db *postgres.DB, actor uuid.UUID, after int64, limit int) ([]Line, error) {
	lines := []Line{}
	err := db.SelectContext(ctx, &lines, `
		SELECT id, at, team_id, action, object, detail
		FROM audit_log
		WHERE actor_id = $1 AND id > $2
		ORDER BY id
		LIMIT $3`, actor, after, limit)
	if err != nil {
		return nil, postgres.Problem(fmt.Errorf("list what somebody did: %w", err))
	}
	return lines, nil
}
