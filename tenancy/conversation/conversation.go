// Package conversation owns to whom the upstream's conversations belong: the heart of isolation.
//
// It never asks the upstream and never frees an id. Its rules:
//
//   - An id is reserved for a team before the upstream is asked, by one statement that decides between all replicas.
//   - States go reserved → live or failed → deleted; a failed id may be reserved again, by its own team only. Rows are never
//     removed, so an id that a team once had can never become another team's.
//   - A conversation that has no row belongs to nobody.
//   - A private conversation is its starter's alone, in every list, count and search as well.
//
// Its key idea: the question of the hot path (Find) is answered from a map without pointers, filled from Postgres and emptied
// by notification. What is missing is never remembered, so a new row counts at once on every replica.
package conversation

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// ErrTaken means that the id is another team's, is being made, or is dead: one answer for all, since the difference is nobody's
// business.
var ErrTaken = problem.New(http.StatusConflict, "This conversation id cannot be used. Choose another one, or leave it out.")

// ErrExists means that the id is a live conversation of the same team which the caller may see.
var ErrExists = problem.New(http.StatusConflict, "This conversation exists already.")

// ErrState means that the conversation is not in the state that the change needs, such as a deletion while it is being made.
var ErrState = problem.New(http.StatusConflict, "This conversation cannot be changed in its present state. Try again in a moment.")

// Conversation is what we know of one conversation of the upstream.
type Conversation struct {
	ID         uuid.UUID
	Team       uuid.UUID
	Starter    uuid.UUID // uuid.Nil: anonymous, or adopted
	Private    bool
	State      access.State
	Title      string
	WorkingDir string
	Roots      []string // further host folders that belong to it
	Parent     uuid.UUID
	ForkedFrom uuid.UUID // the conversation whose history it began with, and whose folder it shares
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Object is the conversation as far as rights are concerned.
func (c Conversation) Object() access.Object {
	return access.Object{ID: c.ID, Team: c.Team, Starter: c.Starter, Private: c.Private, State: c.State}
}

// Sort is an order of a list, in the upstream's words.
type Sort string

// The orders. The zero value is the upstream's default, the newest first.
const (
	CreatedAscending  Sort = "CREATED_AT"
	CreatedDescending Sort = "CREATED_AT_DESC"
	UpdatedAscending  Sort = "UPDATED_AT"
	UpdatedDescending Sort = "UPDATED_AT_DESC"
)

// Query is what page of a list is wanted.
type Query struct {
	Cursor string // empty: the first page
	Limit  int    // 1 to 100; 0 means 20
	Sort   Sort
}
