package app

import (
	"context"
	"net/http"

	"github.com/openhands-saas/openhands-saas/proxy"
)

// IsOurs says whether a path never reaches the proxy.
func IsOurs(path string) bool { return isOurs(path) }

// ClientIP is who asks, as accounts see it.
func (a *App) ClientIP(r *http.Request) string { return a.clientIP(r) }

// AdoptOnce is one run of the job.
func (a *App) AdoptOnce(ctx context.Context) (bool, error) { return a.adoptOnce(ctx) }

// RecordHidden is what the engine tells of hidden access.
func (a *App) RecordHidden(ctx context.Context, h proxy.Hidden) { a.recordHidden(ctx, h) }
