package conversation

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Closed says whether path is, or lies in, the folder of a conversation that is private to somebody other than p; with below also
// whether it holds such a folder. Deleted ones count, as their folders may still be there. A path that is not absolute and plain
// is closed.
func (s *Service) Closed(ctx context.Context, p *access.Principal, path string, below bool) (bool, error) {
	folders := upwards(path)
	if len(folders) == 0 {
		return true, nil
	}
	var closed bool
	err := s.db.GetContext(ctx, &closed, closedStatement, userID(p), folders, below, folders[0]+"/", folders[0]+afterSlash)
	if err != nil {
		return false, postgres.Problem(fmt.Errorf("look for private folders: %w", err))
	}
	return closed, nil
}

// closedStatement asks once by each index, and of what lies below no further than to the first.
var closedStatement = `
	SELECT EXISTS (SELECT 1 FROM conversations WHERE working_dir COLLATE "C" = ANY($2) AND ` + othersPrivate + `)
	    OR EXISTS (SELECT 1
	                 FROM conversation_roots
	                 JOIN conversations ON id = conversation_id
	                WHERE private AND folder = ANY($2) AND ` + othersPrivate + `)
	    OR $3 AND COALESCE((SELECT true
	                          FROM conversations
	                         WHERE working_dir COLLATE "C" > $4 AND working_dir COLLATE "C" < $5 AND ` + othersPrivate + `
	                         ORDER BY working_dir COLLATE "C"
	                         LIMIT 1), false)
	    OR $3 AND COALESCE((SELECT true
	                          FROM conversation_roots
	                         CROSS JOIN LATERAL (SELECT 1 FROM conversations WHERE id = conversation_id AND ` + othersPrivate + `) AS owner
	                         WHERE private AND folder > $4 AND folder < $5
	                         ORDER BY folder
	                         LIMIT 1), false)`

// othersPrivate is what is private to somebody other than $1.
const othersPrivate = `visibility = 'private' AND starter_id IS DISTINCT FROM $1`

// userID is nobody's for anonymous callers, who start nothing in private.
func userID(p *access.Principal) uuid.UUID {
	if p.Anonymous {
		return uuid.Nil
	}
	return p.User
}
