package app

import (
	"context"
	"slices"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/factor"
	"github.com/openhands-saas/openhands-saas/config"
)

// verifier judges second factors. Without keys there are no authenticator apps: for commands that need none.
func (a *App) verifier() *factor.Verifier {
	cfg := factor.Config{DB: a.db(), PublicURL: a.siteURL()}
	if a.keys != nil {
		cfg.Keys = a.keys
	}
	return factor.NewVerifier(cfg)
}

// factorRequired says whether SECOND_FACTOR is about the user. Each of its values includes those before. Rank counts in teams that are
// not one's own personal one, which everybody owns.
func (a *App) factorRequired(ctx context.Context, u auth.User) (bool, error) {
	ranked := map[string][]access.Role{
		config.SecondFactorOwners: {access.Owner},
		config.SecondFactorAdmins: {access.Owner, access.Admin},
	}
	switch a.cfg.SecondFactor {
	case "", config.SecondFactorOptional:
		return false, nil
	case config.SecondFactorAll:
		return true, nil
	}
	if u.IsSuperuser {
		return true, nil
	}
	roles := ranked[a.cfg.SecondFactor]
	if len(roles) == 0 {
		return false, nil
	}
	memberships, err := a.teams.Memberships(ctx, u.ID)
	return slices.ContainsFunc(memberships, func(m access.Membership) bool {
		return !m.Personal && slices.Contains(roles, m.Role)
	}), err
}
