package app

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/oidc"
	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/tenancy"
)

func (a *App) oidcConfig() oidc.Config {
	secrets := [][]byte{[]byte(a.secret.Reveal())}
	for _, old := range a.cfg.JWTSecretPrevious {
		secrets = append(secrets, []byte(old.Reveal()))
	}
	return oidc.Config{
		DB: a.db(), Auth: a.auth, Secrets: secrets, PublicURL: a.siteURL(), Providers: a.providers(),
		Groups: a.applyGroups, Passkeys: a.factors.HasPasskey, Mail: a.mailer(), Secure: a.cfg.Secure(), Log: a.log,
	}
}

// providers are the issuers of the configuration, and GitHub, when it is configured.
func (a *App) providers() []oidc.Provider {
	var list []oidc.Provider
	for _, p := range a.cfg.OIDC {
		list = append(list, oidc.Provider{
			Name: p.Name, Title: titleOf(p), Issuer: p.Issuer, ClientID: p.ClientID, ClientSecret: p.ClientSecret.Reveal(),
			Scopes: p.Scopes, GroupsClaim: p.GroupsClaim, AllowedDomains: p.AllowedDomains,
		})
	}
	if a.cfg.GitHubClientID != "" {
		list = append(list, oidc.Provider{
			Name: "github", Title: "GitHub", ClientID: a.cfg.GitHubClientID, ClientSecret: a.cfg.GitHubClientSecret.Reveal(), GitHub: &oidc.GitHub{},
		})
	}
	return list
}

// titleOf has words for an issuer that nobody named.
func titleOf(p config.OIDCProvider) string {
	switch {
	case p.Title != "":
		return p.Title
	case p.Name == "oidc":
		return "single sign-on"
	}
	return p.Name
}

// applyGroups gives a user the roles that the configuration has for their groups.
func (a *App) applyGroups(ctx context.Context, tx *postgres.Tx, u auth.User, provider string, groups []string) error {
	missing, err := a.teams.ApplyGroups(ctx, tx, u, provider, a.grants(provider, groups))
	for _, team := range missing {
		a.log.WarnContext(ctx, "a group has a role in a team that does not exist, or that is personal: correct the roles of this issuer", "provider", provider, "team", team)
	}
	return err
}

func (a *App) grants(provider string, groups []string) (grants []tenancy.Grant) {
	for _, p := range a.cfg.OIDC {
		if p.Name != provider {
			continue
		}
		for _, r := range p.Roles {
			if team, err := uuid.Parse(r.Team); err == nil && slices.Contains(groups, r.Group) {
				grants = append(grants, tenancy.Grant{Team: team, Role: access.Role(r.Role)})
			}
		}
	}
	return grants
}
