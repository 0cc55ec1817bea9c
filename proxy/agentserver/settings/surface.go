// Package settings owns the upstream's surface of settings, secrets, profiles, connections and workspaces as this product
// answers it: from the vault, for each team and each user.
//
// It never reads or writes the upstream's own settings and asks it for schemas only. Its key idea is the layer: what counts is
// the schema's defaults, over them the operator's model, the team's settings and one's own; and a key that is not one's own
// stays with the address that its owner gave it.
package settings

import (
	"log/slog"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/egress"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/schema"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// Operator is the model that the operator provides to all teams; without a Model there is none.
type Operator struct {
	Model   string
	BaseURL string // "" is the model's own provider
	APIKey  string // "" for a model that needs none
}

// Config is what a surface works with.
type Config struct {
	Vault         *vault.Store
	Book          *schema.Book
	Egress        *egress.Policy
	Operator      Operator
	WorkspaceRoot string // of the upstream's host
	Commands      bool   // MCP servers may be commands, which run beside the agents' own
	Log           *slog.Logger
}

// Surface answers. Its methods that take an Exchange are the handlers of the route table.
type Surface struct{ Config }

// New makes a surface.
func New(c Config) *Surface { return &Surface{Config: c} }

// who is a caller within the team that counts.
type who struct {
	Team uuid.UUID
	User uuid.UUID // zero for the anonymous tenant
	Role access.Role
	key  access.Scope // of the API key that is used
	by   vault.By
}

// whoAsks is the caller of a request.
func whoAsks(x *proxy.Exchange) who { return of(x.Principal(), x.Team()) }

func of(p *access.Principal, team uuid.UUID) who {
	role, _ := p.RoleIn(team)
	w := who{Team: team, User: p.User, Role: role, key: p.Scope, by: vault.By{ID: p.User, Name: p.Email}}
	if p.Anonymous {
		w.by.Name = "anonymous"
	}
	return w
}

func (w who) own() vault.Scope  { return vault.Scope{Team: w.Team, User: w.User} }
func (w who) team() vault.Scope { return vault.Scope{Team: w.Team} }

// may says whether both the caller's role and their key allow it.
func (w who) may(permission access.Permission) bool {
	return w.Role.Has(permission) && w.key.Allows(permission)
}

// must is may as an error: denied for whose role does not allow it, access.ErrScope for whose key alone does not.
func (w who) must(permission access.Permission, denied error) error {
	switch {
	case !w.Role.Has(permission):
		return denied
	case !w.key.Allows(permission):
		return access.ErrScope
	}
	return nil
}

// keeps says whether the caller may see and change what is the team's.
func (w who) keeps() bool { return w.may(access.SettingsTeam) }
