package app

import (
	"context"

	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// recordHidden writes one line about somebody who kept asking for what they may not see or what does not exist: the two are
// told apart nowhere, not even here.
func (a *App) recordHidden(ctx context.Context, h proxy.Hidden) {
	p := h.Caller.Principal
	entry := audit.Entry{ActorID: p.User, Actor: p.Email, Action: "access.hidden", Object: h.Path, Detail: map[string]any{"count": h.Count}}
	if p.Anonymous {
		entry.Actor = "anonymous"
	}
	err := a.db().InTx(ctx, func(tx *postgres.Tx) error { return audit.Record(ctx, tx, entry) })
	if err != nil {
		a.log.Warn("hidden access could not be recorded", "actor", entry.Actor, "count", h.Count, "error", err)
	}
}
