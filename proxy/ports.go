package proxy

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Gate says who is calling. Anonymous callers are principals too, where the installation allows them.
type Gate interface {
	// Identify finds the credential of a request and its owner. Without a valid one it is problem.Unauthorized.
	Identify(*http.Request) (access.Caller, error)
	// Resolve asks the same about a credential at hand; team ("" for the default) selects the current team.
	Resolve(ctx context.Context, c access.Credential, team string) (access.Caller, error)
}

// Objects finds conversations as far as rights are concerned. An id without a row is an Object of access.StateNone.
type Objects interface {
	// Known returns what Find would at once, without asking anybody. What has no row is never known.
	Known(id uuid.UUID) (access.Object, bool)
	Find(ctx context.Context, id uuid.UUID) (access.Object, error)
}

// Events tells of changes to rights. While Fresh is false news may be missing.
type Events interface {
	Subscribe(func(postgres.Event))
	Fresh() bool
}

// PublicHandler may be implemented by Config.Fallback: what it calls public is served without a caller.
type PublicHandler interface {
	http.Handler
	Public(*http.Request) bool
}
