package agentserver

import (
	"context"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/files"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
)

// Import puts what a single user's files hold into the vault, judged by the upstream's schemas, which are asked for.
func (d *Dialect) Import(ctx context.Context, in settings.Import, found *files.Found) ([]settings.Outcome, error) {
	return d.settings.Import(ctx, in, found)
}
