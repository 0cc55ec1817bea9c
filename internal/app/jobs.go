package app

import (
	"context"
	"errors"
	"time"
)

// The pauses between two runs of a job.
const (
	reconcilePause = 15 * time.Second
	upstreamPause  = 5 * time.Second
	followPause    = 8 * time.Second
	orphanPause    = 10 * time.Second
	collectPause   = time.Minute
	purgePause     = time.Hour
	forgetPause    = 10 * time.Minute
)

// startJobs starts what goes on beside requests; all of it ends with ctx.
func (a *App) startJobs(ctx context.Context) {
	a.jobs.Go(func() { a.watchUpstream(ctx) })
	a.jobs.Go(func() { every(ctx, reconcilePause, a.reconcile) })
	a.jobs.Go(func() { a.adoptWhenFirstOn(ctx) })
	a.jobs.Go(func() { every(ctx, followPause, a.followRunning) })
	a.jobs.Go(func() { every(ctx, orphanPause, a.endOrphans) })
	a.jobs.Go(func() { every(ctx, collectPause, a.collect) })
	a.jobs.Go(func() { every(ctx, purgePause, a.purge) })
	a.jobs.Go(func() { every(ctx, forgetPause, a.forgetLimits) })
	a.jobs.Go(func() { every(ctx, forgetPause, a.forgetDevices) })
	a.jobs.Go(func() { a.outbox.Run(ctx) })
}

// every calls run now and after each pause, until ctx ends.
func every(ctx context.Context, pause time.Duration, run func(context.Context)) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		run(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// reconcile settles reservations whose create was cut off, by asking the upstream what became of them.
func (a *App) reconcile(ctx context.Context) {
	if _, err := a.dialect.Reconcile(ctx); err != nil && ctx.Err() == nil {
		a.log.Warn("reservations could not be settled; a later run tries again", "error", err)
	}
}

// followRunning keeps the order by "updated" right while agents work without anybody's request.
func (a *App) followRunning(ctx context.Context) {
	if _, err := a.dialect.FollowRunning(ctx); err != nil && ctx.Err() == nil {
		a.log.Debug("running conversations could not be followed; the next run tries again", "error", err)
	}
}

// endOrphans stops the agents of conversations that ended with their team or their starter.
func (a *App) endOrphans(ctx context.Context) {
	if _, err := a.dialect.EndOrphans(ctx); err != nil && ctx.Err() == nil {
		a.log.Warn("conversations of deleted accounts could not be ended at the upstream; a later run tries again", "error", err)
	}
}

// collect removes the folders of conversations that were deleted some time ago.
func (a *App) collect(ctx context.Context) {
	removed, err := a.dialect.Collect(ctx)
	if err != nil && ctx.Err() == nil {
		a.log.Warn("folders of deleted conversations could not be removed; a later run tries again", "error", err)
	}
	if removed > 0 {
		a.log.Info("folders of deleted conversations removed", "count", removed)
	}
}

// purge deletes sessions and setup links that are long over.
func (a *App) purge(ctx context.Context) {
	deleted, err := a.auth.Purge(ctx)
	if err != nil && ctx.Err() == nil {
		a.log.Warn("old sessions could not be deleted; the next run tries again", "error", err)
	}
	if deleted > 0 {
		a.log.Info("old sessions and setup links deleted", "count", deleted)
	}
	a.purgeMail(ctx)
	a.purgeKeys(ctx)
}

// keptKeys is how long a key that is over stays to be seen.
const keptKeys = 30 * 24 * time.Hour

// purgeKeys deletes API keys that are long over, and service accounts whose team is gone.
func (a *App) purgeKeys(ctx context.Context) {
	keys, err := a.apiKeys.Purge(ctx, time.Now().Add(-keptKeys))
	accounts, more := a.services.Purge(ctx)
	if err := errors.Join(err, more); err != nil && ctx.Err() == nil {
		a.log.Warn("old API keys and service accounts could not be deleted; the next run tries again", "error", err)
	}
	if keys+accounts > 0 {
		a.log.Info("old API keys and service accounts without a team deleted", "keys", keys, "accounts", accounts)
	}
}

// purgeMail deletes what was sent, or could not be, long ago.
func (a *App) purgeMail(ctx context.Context) {
	deleted, err := a.outbox.Purge(ctx)
	if err != nil && ctx.Err() == nil {
		a.log.Warn("old mails could not be deleted; the next run tries again", "error", err)
	}
	if deleted > 0 {
		a.log.Info("old mails deleted", "count", deleted)
	}
}
