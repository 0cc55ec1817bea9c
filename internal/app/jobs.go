package app

import (
	"context"
	"time"
)

// The pauses between two runs of a job.
const (
	reconcilePause = 15 * time.Second
	upstreamPause  = 5 * time.Second
	followPause    = 8 * time.Second
	collectPause   = time.Minute
	purgePause     = time.Hour
)

// startJobs starts what goes on beside requests; all of it ends with ctx.
func (a *App) startJobs(ctx context.Context) {
	a.jobs.Go(func() { a.watchUpstream(ctx) })
	a.jobs.Go(func() { every(ctx, reconcilePause, a.reconcile) })
	a.jobs.Go(func() { a.adoptWhenFirstOn(ctx) })
	a.jobs.Go(func() { every(ctx, followPause, a.followRunning) })
	a.jobs.Go(func() { every(ctx, collectPause, a.collect) })
	a.jobs.Go(func() { every(ctx, purgePause, a.purge) })
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
}
