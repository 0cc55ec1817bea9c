package apikey

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/body"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Key is an API key as its owner sees it: never the key itself.
type Key struct {
	ID         uuid.UUID      `json:"id" db:"id"`
	Name       string         `json:"name" db:"name"`
	Prefix     string         `json:"prefix" db:"prefix"`
	TeamID     *uuid.UUID     `json:"team_id" db:"team_id"`
	Scopes     pq.StringArray `json:"scopes" db:"scopes"` // from the least to the highest
	CreatedAt  time.Time      `json:"created_at" db:"created_at"`
	LastUsedAt *time.Time     `json:"last_used_at" db:"last_used_at"`
	ExpiresAt  *time.Time     `json:"expires_at" db:"expires_at"`
}

// Created is a new key together with its only copy.
type Created struct {
	Key
	Secret string `json:"key"`
}

// Scope is the most that the key allows.
func (k Key) Scope() access.Scope { return Highest(k.Scopes) }

// Over says whether the key is good for nothing any more.
func (k Key) Over(now time.Time) bool { return k.ExpiresAt != nil && !now.Before(*k.ExpiresAt) }

// utc gives the moments in the one form that the API has.
func (k Key) utc() Key {
	k.CreatedAt = k.CreatedAt.UTC()
	for _, moment := range []**time.Time{&k.LastUsedAt, &k.ExpiresAt} {
		if *moment != nil {
			*moment = new((*moment).UTC())
		}
	}
	return k
}

// Draft is a key to be made.
type Draft struct {
	Name      string
	Scopes    []string   // each holds those below it; none: read and write
	TeamID    *uuid.UUID // the only team that it is to be good for
	ExpiresAt *time.Time
}

// Faults says what is wrong with a draft, in the order of its fields.
func (d Draft) Faults(now time.Time) []problem.Field {
	return slices.Concat(auth.NameFaults("name", d.Name, 1), scopeFaults(d.Scopes), timeFaults(d.ExpiresAt, now))
}

func scopeFaults(scopes []string) []problem.Field {
	for _, s := range scopes {
		if !access.Scope(s).Valid() {
			const expected = "'read', 'write' or 'admin'"
			return []problem.Field{{
				Type: "literal_error", Loc: []any{"body", "scopes"}, Msg: "Input should be a list of " + expected,
				Input: scopes, Ctx: map[string]any{"expected": expected},
			}}
		}
	}
	return nil
}

func timeFaults(expires *time.Time, now time.Time) []problem.Field {
	if expires == nil || expires.After(now) && expires.Before(never) {
		return nil
	}
	return []problem.Field{body.Refused("expires_at", "it must lie in the future, before the year 9999", expires.Format(time.RFC3339))}
}

// never stands where a moment is asked for and there is none.
var never = time.Date(9999, time.January, 1, 0, 0, 0, 0, time.UTC)

// Ends is when the identity of a key ends; nil for never.
func Ends(expires time.Time) *time.Time {
	if !expires.Before(never) {
		return nil
	}
	return &expires
}

// full lists a scope with all that it holds, as keys have them.
func full(scope access.Scope) (list pq.StringArray) {
	for _, s := range access.Scopes() {
		if scope.Covers(s) {
			list = append(list, string(s))
		}
	}
	return list
}

// Highest is the scope that a list stands for; without any it is what a program needs that works in a team.
func Highest(scopes []string) access.Scope {
	most := access.NoScope
	for _, s := range access.Scopes() {
		if slices.Contains(scopes, string(s)) {
			most = s
		}
	}
	if most == access.NoScope {
		return access.ScopeWrite
	}
	return most
}

// prefixOf is what may be shown of a key for ever.
func prefixOf(key string) string { return strings.Clone(key[:shownChars]) }

// What changes of keys may answer.
var (
	ErrMissing  = problem.New(http.StatusNotFound, "API key not found")
	errTooMany  = problem.Newf(http.StatusBadRequest, "There are %d API keys already. Revoke those that are not used any more.", Most)
	errOver     = problem.New(http.StatusBadRequest, "This API key has expired. Make a new one.")
	errReplaced = problem.New(http.StatusBadRequest, "This API key was rotated already. Change the one that took its place.")
	errWider    = problem.New(http.StatusBadRequest, "The scopes of an API key can only be narrowed. Make a new one for more.")
	errOutlives = problem.New(http.StatusForbidden, "An API key cannot make another last longer than itself. Sign in to do that.")
)
