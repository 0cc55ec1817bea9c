// Package vault owns what teams and users keep with us: settings, secrets and profiles, one row each, the secret parts sealed.
//
// It never reads the upstream's own files and does not know what a document means: which members are secret, and what counts
// where a team and a user say different things, is decided by who asks. Its key idea: a document belongs to a scope, a team or
// one user within a team, and holds what was sent, so that defaults stay the upstream's; its secrets are sealed one by one
// and bound to their place, so that a row moved to another tenant opens nothing.
package vault

import (
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/sealed"
)

// Scope is whose a document is: the team's own when User is zero, else the user's within the team.
type Scope struct{ Team, User uuid.UUID }

// Kind is what a document is.
type Kind string

// The kinds. Of settings and workspaces a scope has one document, without a name.
const (
	KindSettings     Kind = "settings"
	KindSecret       Kind = "secret"
	KindProfile      Kind = "llm_profile"
	KindAgentProfile Kind = "agent_profile"
	KindConnection   Kind = "connection"
	KindWorkspaces   Kind = "workspaces"
)

// What a scope may hold.
const (
	maxDocument = 256 << 10 // bytes of a document, its sealed parts included
	maxValue    = 64 << 10  // bytes of one secret
	maxDepth    = 64        // objects and lists inside each other
	maxName     = 128       // characters of a name
	maxSealed   = 200       // secrets in a document
)

// most is how many documents of a kind a scope may have.
func most(k Kind) int {
	switch k {
	case KindSecret:
		return 500
	case KindSettings, KindWorkspaces:
		return 1
	default:
		return 50 // as the upstream allows
	}
}

// By is who changes something, for the audit.
type By struct {
	ID   uuid.UUID
	Name string // an address, "anonymous" or "command line"
}

// Document is one row as it was read. Body is the reader's own; numbers in it are json.Number.
type Document struct {
	ID        uuid.UUID
	Scope     Scope
	Kind      Kind
	Name      string
	Body      map[string]any
	Version   int64 // counts the changes; a rotation of keys is none
	CreatedAt time.Time
	UpdatedAt time.Time

	sealed map[string][]byte
}

// Store keeps documents.
type Store struct {
	Log *slog.Logger // told of rows that cannot be read; slog.Default() by default

	db   *postgres.DB
	keys *sealed.Source
}

// New makes the store. Its keys must be able to open what is there: see CheckKeys.
func New(db *postgres.DB, keys *sealed.Source) *Store {
	return &Store{db: db, keys: keys, Log: slog.Default()}
}
