package tenancy

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

const selectServiceAccount = `
	SELECT a.user_id AS id,
	       a.team_id,
	       a.name,
	       m.role,
	       a.created_by,
	       a.created_at
	  FROM service_accounts a
	  JOIN team_members m ON m.user_id = a.user_id AND m.team_id = a.team_id
	 WHERE a.team_id = $1`

func readServiceAccounts(ctx context.Context, q sqlx.QueryerContext, team uuid.UUID) ([]ServiceAccount, error) {
	list := []ServiceAccount{}
	if err := sqlx.SelectContext(ctx, q, &list, selectServiceAccount+` ORDER BY a.created_at, a.user_id`, team); err != nil {
		return nil, fmt.Errorf("list service accounts: %w", err)
	}
	return list, nil
}

func readServiceAccount(ctx context.Context, q sqlx.QueryerContext, team, id uuid.UUID) (a ServiceAccount, err error) {
	err = sqlx.GetContext(ctx, q, &a, selectServiceAccount+` AND a.user_id = $2`, team, id)
	if errors.Is(err, sql.ErrNoRows) {
		return ServiceAccount{}, errNoServiceAccount
	}
	if err != nil {
		return ServiceAccount{}, fmt.Errorf("read a service account: %w", err)
	}
	return a, nil
}

// roomForServiceAccount locks the team's row first, so that of two who fill the team at once one comes after the other.
func roomForServiceAccount(ctx context.Context, tx *postgres.Tx, team uuid.UUID) error {
	if _, err := tx.ExecContext(ctx, `SELECT id FROM teams WHERE id = $1 FOR NO KEY UPDATE`, team); err != nil {
		return fmt.Errorf("lock a team: %w", err)
	}
	var there int
	if err := tx.GetContext(ctx, &there, `SELECT count(*) FROM service_accounts WHERE team_id = $1`, team); err != nil {
		return fmt.Errorf("count service accounts: %w", err)
	}
	if there >= maxServiceAccounts {
		return errServiceAccountFull
	}
	return nil
}

// insertServiceAccount makes the account, its membership and what belongs to it. Its address is one that cannot exist.
func insertServiceAccount(ctx context.Context, tx *postgres.Tx, a ServiceAccount) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO users (id, kind, email, email_key, name, password_hash, is_verified, created_at)
		VALUES ($1, 'service', $2, $2, $3, '', true, $4)`, a.ID, "service-"+a.ID.String()+"@service.invalid", a.Name, a.CreatedAt)
	if err != nil {
		return fmt.Errorf("insert the user of a service account: %w", err)
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO service_accounts (user_id, team_id, name, created_by, created_at)
		VALUES ($1, $2, $3, $4, $5)`, a.ID, a.TeamID, a.Name, a.CreatedBy, a.CreatedAt)
	if err != nil {
		return fmt.Errorf("insert a service account: %w", err)
	}
	_, err = insertMember(ctx, tx, a.TeamID, a.ID, a.Role)
	return err
}

func deleteServiceAccount(ctx context.Context, tx *postgres.Tx, id uuid.UUID) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM users WHERE id = $1 AND kind = 'service'`, id); err != nil {
		return fmt.Errorf("delete a service account: %w", err)
	}
	return nil
}
