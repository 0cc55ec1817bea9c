package conversation

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// recorder writes the line of a change of state, in its transaction.
type recorder func(ctx context.Context, tx *postgres.Tx, id uuid.UUID) error

func recordNothing(context.Context, *postgres.Tx, uuid.UUID) error { return nil }

// recordCreation names the starter, who may no longer be there when a reservation is settled late.
func recordCreation(ctx context.Context, tx *postgres.Tx, id uuid.UUID) error {
	c, err := readOne(ctx, tx, id)
	if err != nil {
		return fmt.Errorf("read created conversation: %w", err)
	}
	entry := audit.Entry{Team: c.Team, ActorID: c.Starter, Actor: "anonymous", Action: "conversation.create", Object: id.String()}
	if c.Starter != uuid.Nil {
		if entry.Actor, err = emailOf(ctx, tx, c.Starter); err != nil {
			return err
		}
	}
	if c.Parent != uuid.Nil {
		entry.Detail = map[string]any{"parent": c.Parent}
	}
	if c.ForkedFrom != uuid.Nil {
		entry.Action, entry.Detail = "conversation.fork", map[string]any{"from": c.ForkedFrom}
	}
	return audit.Record(ctx, tx, entry)
}

func emailOf(ctx context.Context, tx *postgres.Tx, user uuid.UUID) (email string, err error) {
	err = tx.GetContext(ctx, &email, `
		SELECT email
		  FROM users
		 WHERE id = $1`, user)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("find the starter: %w", err)
	}
	return email, nil
}

func recordDeletion(by *access.Principal) recorder {
	return func(ctx context.Context, tx *postgres.Tx, id uuid.UUID) error {
		c, err := readOne(ctx, tx, id)
		if err != nil {
			return fmt.Errorf("read deleted conversation: %w", err)
		}
		entry := audit.Entry{Team: c.Team, Actor: "command line", Action: "conversation.delete", Object: id.String()}
		switch {
		case by == nil:
		case by.Anonymous:
			entry.Actor = "anonymous"
		default:
			entry.Actor, entry.ActorID = by.Email, by.User
		}
		return audit.Record(ctx, tx, entry)
	}
}
