package app

import (
	"context"
	"fmt"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// adoptWhenFirstOn gives the conversations from before the sidecar to the anonymous team, once, when anonymous mode is first
// on while there is no user yet: then they are what a single user of OpenHands had. It ends when that was done or can no
// longer happen.
func (a *App) adoptWhenFirstOn(ctx context.Context) {
	ctx, done := context.WithCancel(ctx)
	defer done()
	every(ctx, upstreamPause, func(ctx context.Context) {
		settled, err := a.adoptOnce(ctx)
		if err != nil && ctx.Err() == nil {
			a.log.Warn("earlier conversations could not be adopted; the next run tries again", "error", err)
		}
		if settled {
			done()
		}
	})
}

// adoptOnce says true when there is nothing left to do, now or later.
func (a *App) adoptOnce(ctx context.Context) (bool, error) {
	var fresh bool
	err := a.db().GetContext(ctx, &fresh, `
		SELECT NOT EXISTS (SELECT 1 FROM users)
		   AND NOT EXISTS (SELECT 1 FROM installation WHERE key = 'anonymous_adopted')`)
	if err != nil || !fresh {
		return !fresh, err
	}
	on, err := a.mode.On(ctx)
	if err != nil || !on {
		return false, err
	}
	return a.adoptAll(ctx)
}

func (a *App) adoptAll(ctx context.Context) (bool, error) {
	adopted, err := a.dialect.Adopt(ctx, access.AnonymousTeam)
	if err != nil {
		return false, fmt.Errorf("adopt conversations for the anonymous team: %w", err)
	}
	a.log.Info("conversations from before were adopted by the anonymous team", "count", adopted)
	err = a.db().InTx(ctx, func(tx *postgres.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO installation (key, value)
			VALUES ('anonymous_adopted', to_jsonb($1::int))
			ON CONFLICT (key) DO NOTHING`, adopted)
		return err
	})
	return err == nil, err
}
