package vault

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Held is that a user keeps something, and not what.
type Held struct {
	ID        uuid.UUID `json:"id" db:"id"`
	Team      uuid.UUID `json:"team_id" db:"team_id"`
	Kind      Kind      `json:"kind" db:"kind"`
	Name      string    `json:"name" db:"name"`
	UpdatedAt time.Time `json:"updated_at" db:"updated_at"`
}

// HeldBy returns at most limit documents of a user's own, in whatever team, behind the one with the id after.
func HeldBy(ctx context.Context, db *postgres.DB, user, after uuid.UUID, limit int) ([]Held, error) {
	list := []Held{}
	err := db.SelectContext(ctx, &list, `
		SELECT id, team_id, kind, name, updated_at
		  FROM vault_documents
		 WHERE user_id = $1 AND id > $2
		 ORDER BY id
		 LIMIT $3`, user, after, limit)
	if err != nil {
		return nil, postgres.Problem(fmt.Errorf("list what a user keeps in the vault: %w", err))
	}
	return list, nil
}
