package conversation

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// maxFolder bounds a folder, in bytes: what is longer fits into no index, and is no folder that anybody works in.
const maxFolder = 2000

var errLongFolder = problem.Fields(problem.Field{
	Type: "string_too_long", Loc: []any{"body", "workspace", "working_dir"},
	Msg: fmt.Sprintf("The path of a working directory may have at most %d bytes.", maxFolder),
})

// maxTitle bounds a title, in characters: the upstream has no bound of its own.
const maxTitle = 500

// words are the states as the database has them.
var words = [...]string{
	access.StateReserved: "reserved",
	access.StateLive:     "live",
	access.StateFailed:   "failed",
	access.StateDeleted:  "deleted",
}

func stateOf(word string) access.State { return access.State(max(0, slices.Index(words[:], word))) }

// columns are those of row, in every query that reads whole conversations.
const columns = `id, team_id, starter_id, visibility = 'private' AS private, state, title, working_dir, roots, parent_id, forked_from_id,
		created_at, updated_at`

type row struct {
	ID         uuid.UUID      `db:"id"`
	Team       uuid.UUID      `db:"team_id"`
	Starter    uuid.NullUUID  `db:"starter_id"`
	Private    bool           `db:"private"`
	State      string         `db:"state"`
	Title      string         `db:"title"`
	WorkingDir string         `db:"working_dir"`
	Roots      pq.StringArray `db:"roots"`
	Parent     uuid.NullUUID  `db:"parent_id"`
	ForkedFrom uuid.NullUUID  `db:"forked_from_id"`
	CreatedAt  time.Time      `db:"created_at"`
	UpdatedAt  time.Time      `db:"updated_at"`
}

func (r row) conversation() Conversation {
	return Conversation{
		ID: r.ID, Team: r.Team, Starter: r.Starter.UUID, Private: r.Private, State: stateOf(r.State),
		Title: r.Title, WorkingDir: r.WorkingDir, Roots: r.Roots, Parent: r.Parent.UUID,
		ForkedFrom: r.ForkedFrom.UUID, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
}

func conversations(rows []row) []Conversation {
	list := make([]Conversation, len(rows))
	for i, r := range rows {
		list[i] = r.conversation()
	}
	return list
}

func readOne(ctx context.Context, q sqlx.QueryerContext, id uuid.UUID) (Conversation, error) {
	var r row
	err := sqlx.GetContext(ctx, q, &r, `
		SELECT `+columns+`
		  FROM conversations
		 WHERE id = $1`, id)
	return r.conversation(), err
}

func readObjects(ctx context.Context, q sqlx.QueryerContext, ids []uuid.UUID) ([]access.Object, error) {
	var rows []row
	err := sqlx.SelectContext(ctx, q, &rows, `
		SELECT id, team_id, starter_id, visibility = 'private' AS private, state
		  FROM conversations
		 WHERE id = ANY($1)`, pq.Array(ids))
	if err != nil {
		return nil, err
	}
	objects := make([]access.Object, len(rows))
	for i, r := range rows {
		objects[i] = r.conversation().Object()
	}
	return objects, nil
}

func nullable(id uuid.UUID) uuid.NullUUID { return uuid.NullUUID{UUID: id, Valid: id != uuid.Nil} }

// visibility is the word for a conversation's column.
func visibility(private bool) string {
	if private {
		return "private"
	}
	return "team"
}

// cleanTitle leaves what Postgres can store, at a bounded length.
func cleanTitle(title string) string {
	title = strings.ReplaceAll(strings.ToValidUTF8(title, "�"), "\x00", "")
	if runes := []rune(title); len(runes) > maxTitle {
		return string(runes[:maxTitle])
	}
	return title
}

// cleanFolder is a folder in the one form that is compared. What is no absolute path, or too long a one, becomes empty, and
// contains nothing.
func cleanFolder(folder string) string {
	if !path.IsAbs(folder) || strings.ContainsRune(folder, 0) {
		return ""
	}
	if folder = path.Clean(strings.ToValidUTF8(folder, "�")); len(folder) > maxFolder {
		return ""
	}
	return folder
}

// cleanFolders is never nil, which Postgres would take for NULL.
func cleanFolders(folders []string) pq.StringArray {
	clean := pq.StringArray{}
	for _, f := range folders {
		if f = cleanFolder(f); f != "" {
			clean = append(clean, f)
		}
	}
	return clean
}
