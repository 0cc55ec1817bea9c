package agentserver

import (
	"context"
	"errors"
	"net/url"

	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

// Reconcile settles the reservations whose lease ran out: creations that failed, timed out or were cut off. What the upstream
// has becomes live, what it has not becomes failed; either way the id stays its team's. It returns how many were settled.
func (d *Dialect) Reconcile(ctx context.Context) (int, error) {
	rows, err := d.config.Conversations.Overdue(ctx, batchLimit)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	found, err := d.hydrate(ctx, d.call, rowIDs(rows), url.Values{})
	if err != nil {
		return 0, err
	}
	settled := 0
	var faults []error
	for _, row := range rows {
		if err := d.settle(ctx, row, found[row.ID]); err != nil {
			faults = append(faults, err)
			continue
		}
		settled++
	}
	return settled, errors.Join(faults...)
}

func (d *Dialect) settle(ctx context.Context, row conversation.Conversation, i info) error {
	if i != nil && d.isOurs(ctx, row, i) {
		d.log.Info("a conversation was made after all", "conversation", row.ID, "team", row.Team)
		return d.config.Conversations.Commit(ctx, row.ID, i.title())
	}
	d.log.Info("a conversation was not made", "conversation", row.ID, "team", row.Team)
	return d.config.Conversations.Fail(ctx, row.ID)
}
