package app

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// hooks are what happens elsewhere, in the same transaction, when something happens to an account.
func (a *App) hooks() auth.Hooks {
	return auth.Hooks{
		MayRegister: registrationHook(a.cfg.RegistrationHookURL, a.log),
		UserCreated: func(ctx context.Context, tx *postgres.Tx, u auth.User, teamName string) error {
			return a.teams.CreatePersonal(ctx, tx, u, teamName)
		},
		MayLeave:       func(ctx context.Context, tx *postgres.Tx, u auth.User) error { return a.teams.MayLeave(ctx, tx, u) },
		FactorRequired: a.factorRequired,
		MayDelete:      a.departed,
		Ended:          a.ended,
		Reclaimed:      a.reclaimed,
		SuperuserEnded: func(ctx context.Context, tx *postgres.Tx, user uuid.UUID) error {
			return a.teams.EndEntries(ctx, tx, user)
		},
	}
}

// departed settles what a deleted account leaves behind: its teams, what it kept to itself there, and the vault of teams that go.
func (a *App) departed(ctx context.Context, tx *postgres.Tx, u auth.User) error {
	err := a.teams.Depart(ctx, tx, u, func(ctx context.Context, tx *postgres.Tx, team uuid.UUID) error {
		return errors.Join(a.objects.EndTeam(ctx, tx, team), vault.EndTeam(ctx, tx, team))
	})
	if err != nil {
		return err
	}
	return a.objects.EndPrivate(ctx, tx, u.ID)
}

// ended ends what is no session of a user who is kept out for good.
func (a *App) ended(ctx context.Context, tx *postgres.Tx, user uuid.UUID) error {
	if err := a.devices.Drop(ctx, tx, user); err != nil {
		return err
	}
	return errors.Join(a.teams.EndEntries(ctx, tx, user), a.apiKeys.RevokeAll(ctx, tx, user))
}

// reclaimed ends what somebody else may have added to an account that its owner takes back. Where the address was never proved before,
// second factors stay: they must not fall to whoever reads a mailbox.
func (a *App) reclaimed(ctx context.Context, tx *postgres.Tx, u auth.User, since time.Time) error {
	if err := a.oidc.DropSince(ctx, tx, u, since); err != nil || since.IsZero() {
		return err
	}
	return a.factors.DropSince(ctx, tx, u.ID, since)
}
