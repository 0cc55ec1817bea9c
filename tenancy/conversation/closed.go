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
	err := s.db.GetContext(ctx, &closed, `
		SELECT EXISTS (
			SELECT 1
			  FROM conversations
			 WHERE visibility = 'private'
			   AND (starter_id IS NULL OR starter_id <> $1)
			   AND (working_dir = ANY($2) OR roots && $2
			        OR $3 AND (starts_with(working_dir, $4)
			                   OR EXISTS (SELECT 1 FROM unnest(roots) AS root WHERE starts_with(root, $4)))))`,
		userID(p), folders, below, folders[0]+"/")
	if err != nil {
		return false, postgres.Problem(fmt.Errorf("look for private folders: %w", err))
	}
	return closed, nil
}

// userID is nobody's for anonymous callers, who start nothing in private.
func userID(p *access.Principal) uuid.UUID {
	if p.Anonymous {
		return uuid.Nil
	}
	return p.User
}
