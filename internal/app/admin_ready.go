package app

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// How a check ended.
const (
	checkOK      = "ok"
	checkFailed  = "failed"
	checkUnknown = "unknown" // something else must be put right first
)

// check is one thing that serving rests on.
type check struct {
	Name     string `json:"name"`
	State    string `json:"state"`
	Required bool   `json:"required"` // without it nothing can be served
	Detail   string `json:"detail"`
}

// readiness is /readyz?verbose.
type readiness struct {
	Status   string  `json:"status"` // ready, or not ready: as without ?verbose
	Checks   []check `json:"checks"`
	InFlight int64   `json:"requests_in_flight"` // WebSockets that are open included
	Live     int     `json:"live_connections"`   // WebSockets, streams and downloads
}

// adminReadyz is the bare answer of everybody, and each check by name for those who ask for it.
func (a *App) adminReadyz(w http.ResponseWriter, r *http.Request) {
	down := a.ready(r.Context())
	status, word := http.StatusOK, "ready"
	if down != nil {
		status, word = http.StatusServiceUnavailable, "not ready"
	}
	if !r.URL.Query().Has("verbose") {
		writeJSON(w, status, map[string]string{"status": word})
		return
	}
	writeJSON(w, status, readiness{
		Status: word, Checks: a.checks(r.Context(), down),
		InFlight: a.inFlight.Load(), Live: a.engine.Live().Len(),
	})
}

func (a *App) checks(ctx context.Context, down error) []check {
	return []check{a.checkDatabase(down), a.checkMigrations(ctx, down), a.checkNotifications(), a.checkUpstream()}
}

func (a *App) checkDatabase(down error) check {
	c := check{Name: "database", State: checkOK, Required: true}
	if down != nil {
		c.State, c.Detail = checkFailed, down.Error()
		return c
	}
	pool := a.db().Stats()
	c.Detail = fmt.Sprintf("answers; %d of %d connections in use", pool.InUse, pool.MaxOpenConnections)
	return c
}

// checkMigrations tells what somebody changed after our start, when all were applied.
func (a *App) checkMigrations(ctx context.Context, down error) check {
	c := check{Name: "migrations", State: checkUnknown, Detail: "the database must answer first"}
	if down != nil {
		return c
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	list, err := postgres.MigrationStatus(ctx, a.db())
	if err != nil {
		c.Detail = err.Error()
		return c
	}
	pending, newer := 0, 0
	for _, m := range list {
		switch {
		case m.Unknown:
			newer++
		case m.AppliedAt == nil:
			pending++
		}
	}
	c.State, c.Detail = checkOK, fmt.Sprintf("%d applied, %d pending, %d of a newer version", len(list)-pending, pending, newer)
	if pending > 0 {
		c.State = checkFailed
	}
	return c
}

// checkNotifications tells whether what is kept in memory is trusted.
func (a *App) checkNotifications() check {
	c := check{Name: "notifications", State: checkOK, Detail: "heartbeats arrive; caches are trusted"}
	if !a.db().Bus.Fresh() {
		c.State, c.Detail = checkFailed, "no heartbeat came back lately; caches are not trusted, and every request asks the database"
	}
	return c
}

// checkUpstream tells what was seen last, so that asking us costs the upstream nothing.
func (a *App) checkUpstream() check {
	c := check{Name: "upstream", State: checkUnknown, Detail: "not looked at yet"}
	switch seen := a.upstream.state(); {
	case seen.Since == nil:
	case seen.Answers:
		c.State, c.Detail = checkOK, "agent-server "+seen.Version+" answers"
	default:
		c.State, c.Detail = checkFailed, cmp.Or(seen.Error, "does not answer")
	}
	return c
}
