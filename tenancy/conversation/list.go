package conversation

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

const (
	defaultLimit = 20
	maxLimit     = 100
)

// listed is what p may see in lists of a team: p's id is $2. It says what Principal.On says, in SQL.
const listed = `team_id = $1
		   AND state = 'live'
		   AND (visibility = 'team' OR starter_id IS NOT DISTINCT FROM $2)`

// order is how a list is walked: by the index on column, in either direction.
type order struct {
	column, direction, beyond string
	start                     position
}

// position is where in a list the page before ended.
type position struct {
	at string // a timestamp as Postgres reads it
	id uuid.UUID
}

func orderOf(sort Sort) (order, bool) {
	first, last := position{"-infinity", uuid.Nil}, position{"infinity", uuid.Max}
	switch sort {
	case "", CreatedDescending:
		return order{"created_at", "DESC", "<", last}, true
	case CreatedAscending:
		return order{"created_at", "ASC", ">", first}, true
	case UpdatedDescending:
		return order{"updated_at", "DESC", "<", last}, true
	case UpdatedAscending:
		return order{"updated_at", "ASC", ">", first}, true
	}
	return order{}, false
}

// key is the time that o sorts by.
func (o order) key(c Conversation) time.Time {
	if o.column == "created_at" {
		return c.CreatedAt
	}
	return c.UpdatedAt
}

// statement puts only our own constants into the text.
func (o order) statement() string {
	return fmt.Sprintf(`
		SELECT %[1]s
		  FROM conversations
		 WHERE %[2]s
		   AND (%[3]s, id) %[4]s ($3::timestamptz, $4::uuid)
		 ORDER BY %[3]s %[5]s, id %[5]s
		 LIMIT $5`, columns, listed, o.column, o.beyond, o.direction)
}

// Page returns live conversations of team that p may see, and the cursor of the next page, empty after the last. A page costs
// what it holds. Rows that change between two pages move, as the sort says; no other row is missed or seen twice.
func (s *Service) Page(ctx context.Context, p *access.Principal, team uuid.UUID, q Query) (page []Conversation, next string, err error) {
	if err := p.In(team, access.ConversationRead); err != nil {
		return nil, "", err
	}
	o, from, err := q.begin(team)
	if err != nil {
		return nil, "", err
	}
	limit := q.limit()
	var rows []row
	err = s.db.SelectContext(ctx, &rows, o.statement(), team, nullable(p.User), from.at, from.id, limit+1)
	if err != nil {
		return nil, "", postgres.Problem(fmt.Errorf("list conversations: %w", err))
	}
	page = conversations(rows[:min(limit, len(rows))])
	if len(rows) > limit {
		next = q.After(page[limit-1])
	}
	return page, next, nil
}

// Count is how many conversations Page would give in all.
func (s *Service) Count(ctx context.Context, p *access.Principal, team uuid.UUID) (int, error) {
	if err := p.In(team, access.ConversationRead); err != nil {
		return 0, err
	}
	var n int
	err := s.db.GetContext(ctx, &n, `
		SELECT count(*)
		  FROM conversations
		 WHERE `+listed, team, nullable(p.User))
	if err != nil {
		return 0, postgres.Problem(fmt.Errorf("count conversations: %w", err))
	}
	return n, nil
}

// Containing returns the live conversation of team that p may see and whose folder is path or lies above it; of several the
// deepest. access.ErrHidden when there is none, and for a path that is not absolute and plain. Its conditions are worded as the
// indexes on folders are, which are of no use to others.
func (s *Service) Containing(ctx context.Context, p *access.Principal, team uuid.UUID, path string) (Conversation, error) {
	if err := p.In(team, access.ConversationRead); err != nil {
		return Conversation{}, err
	}
	folders := upwards(path)
	if len(folders) == 0 {
		return Conversation{}, access.ErrHidden
	}
	var rows []row
	err := s.db.SelectContext(ctx, &rows, `
		SELECT `+columns+`
		  FROM conversations
		 WHERE `+listed+`
		   AND (working_dir COLLATE "C" = ANY($3)
		        OR id = ANY(ARRAY(SELECT conversation_id FROM conversation_roots WHERE folder = ANY($3))))
		 ORDER BY (SELECT max(length(folder)) FROM unnest(roots || working_dir) AS folder WHERE folder = ANY($3)) DESC,
		          updated_at DESC, id DESC
		 LIMIT 1`, team, nullable(p.User), folders)
	if err != nil {
		return Conversation{}, postgres.Problem(fmt.Errorf("find the conversation of a folder: %w", err))
	}
	if len(rows) == 0 {
		return Conversation{}, access.ErrHidden
	}
	return rows[0].conversation(), nil
}

// upwards lists p and the folders above it, but never the root, which holds everybody's. Whole folders are compared, so no
// character of a name can act as a wildcard and no name can pass for the beginning of another.
func upwards(p string) pq.StringArray {
	folders := pq.StringArray{}
	p = strings.TrimSuffix(p, "/")
	if !path.IsAbs(p) || path.Clean(p) != p || len(p) > 4096 || !utf8.ValidString(p) || strings.ContainsRune(p, 0) {
		return folders
	}
	for ; p != "/"; p = path.Dir(p) {
		folders = append(folders, p)
	}
	return folders
}
