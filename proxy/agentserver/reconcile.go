package agentserver

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

// reconcileRounds bounds one run to some two thousand reservations, as one replica may leave behind when it dies. What is left
// waits for the next run.
const reconcileRounds = 20

// reconciled is what a run did.
type reconciled struct{ rounds, claimed, made, failed int }

func (r reconciled) settled() int { return r.made + r.failed }

// Reconcile settles the reservations whose lease ran out: creations that failed, timed out or were cut off. What the upstream
// has becomes live, what it has not becomes failed; either way the id stays its team's. It goes on while there are more than the
// upstream can be asked for at once. Any number of replicas may run it at once: each claims its own. It returns how many were
// settled.
func (d *Dialect) Reconcile(ctx context.Context) (int, error) {
	begun := time.Now()
	var sum reconciled
	var err error
	for full := true; full && err == nil && sum.rounds < reconcileRounds; {
		before := sum.claimed
		err = d.reconcileSome(ctx, &sum)
		full = sum.claimed-before == batchLimit
	}
	if sum.claimed > 0 {
		d.log.LogAttrs(ctx, slog.LevelInfo, "overdue reservations were looked after", slog.Int("claimed", sum.claimed),
			slog.Int("made", sum.made), slog.Int("failed", sum.failed), slog.Int("upstream_calls", sum.rounds),
			slog.Duration("took", time.Since(begun)))
	}
	return sum.settled(), err
}

// reconcileSome settles what the upstream can be asked for at once. What it does not answer for stays claimed for a minute.
func (d *Dialect) reconcileSome(ctx context.Context, sum *reconciled) error {
	claims, err := d.config.Conversations.ClaimOverdue(ctx, batchLimit)
	if err != nil || len(claims) == 0 {
		return err
	}
	sum.rounds, sum.claimed = sum.rounds+1, sum.claimed+len(claims)
	ids := make([]uuid.UUID, len(claims))
	for n, c := range claims {
		ids[n] = c.ID
	}
	found, err := d.hydrate(ctx, d.call, ids, url.Values{})
	if err != nil {
		return err
	}
	var faults []error
	for _, c := range claims {
		faults = append(faults, d.settle(ctx, c, found[c.ID], sum))
	}
	return errors.Join(faults...)
}

func (d *Dialect) settle(ctx context.Context, claim conversation.Overdue, i info, sum *reconciled) error {
	made := i != nil && d.isOurs(ctx, claim.Conversation, i)
	settled, err := d.config.Conversations.Settle(ctx, claim, made, i.title())
	switch {
	case err != nil || !settled:
		return err
	case made:
		sum.made++
		d.log.Info("a conversation was made after all", "conversation", claim.ID, "team", claim.Team)
	default:
		sum.failed++
		d.log.Info("a conversation was not made", "conversation", claim.ID, "team", claim.Team)
	}
	return nil
}
