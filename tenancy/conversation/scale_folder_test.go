package conversation_test

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	. "github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

// foldersAreFoundByIndexes gives each of the many a worktree, and asks what is asked of folders: whose one is, whether somebody's
// private one is there, and, before a removal and before a reservation, who else works there.
func foldersAreFoundByIndexes(t *testing.T, url string, plain *postgres.DB, teams []uuid.UUID) {
	giveWorktrees(t, plain, teams[0])
	db, record := dbtest.OpenRecorded(t, url)
	s := New(db, Options{Now: func() time.Time { return time.Now().Add(2 * time.Hour) }})
	root := "/srv/ws/teams/" + teams[0].String()
	var tree string
	if err := plain.GetContext(t.Context(), &tree, `SELECT roots[1] FROM conversations WHERE team_id = $1 LIMIT 1`, teams[0]); err != nil {
		t.Fatal(err)
	}
	p := &access.Principal{User: uuid.New(), Memberships: []access.Membership{{Team: teams[0], Role: access.Developer}}}
	either := []string{"conversation_roots_pkey", "conversation_roots_private"}
	for _, c := range []struct {
		name    string
		ask     func() error
		indexes []string // of which one is used
		pages   int
	}{
		{"whose a worktree is", containing(s, p, teams[0], tree+"/src/main.go", nil), either, 150},
		{"whose a folder is that is nobody's", containing(s, p, teams[0], root+"/worktrees/x/src/main.go", access.ErrHidden), either, 150},
		{"whether a folder is closed", closed(t, s, p, tree+"/src", false), either, 150},
		{"whether what holds a folder is closed", closed(t, s, p, path.Dir(tree), true), either, 150},
		{"whether a whole team's folder holds a closed one", closed(t, s, p, root, true), either, 500},
		{"whether all folders hold a closed one", closed(t, s, p, "/srv/ws", true), either, 500},
		{"who else works in twenty worktrees", claimTwenty(t, s), either, 2500},
		{"whether a new folder is being removed", reserveAt(t, s, teams[0], root+"/workspace/project/x"), either, 150},
		{"whether anything in a whole team's folder is being removed", reserveAt(t, s, teams[500], path.Dir(root)+"/"+teams[500].String()), either, 800},
	} {
		record.Forget()
		if err := c.ask(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		asked := slices.DeleteFunc(record.Statements(), func(s dbtest.Statement) bool { return !strings.Contains(s.SQL, "conversation_roots") })
		if len(asked) != 1 {
			t.Errorf("%s: %d statements ask for folders, want 1: %v", c.name, len(asked), asked)
		}
		for _, statement := range asked {
			cost := explain(t, plain, statement)
			t.Logf("%s: %d pages, by %v", c.name, cost.pages, cost.indexes)
			used := slices.ContainsFunc(cost.indexes, func(index string) bool { return slices.Contains(c.indexes, index) })
			if cost.pages > c.pages || cost.whole || !used {
				t.Errorf("%s: %d pages by indexes %v (the whole table: %t), want at most %d, by one of %v:\n%s",
					c.name, cost.pages, cost.indexes, cost.whole, c.pages, c.indexes, cost.plan)
			}
		}
	}
}

// giveWorktrees also makes one of five of the other teams' private, and leaves a hundred deleted ones whose folders are to go.
func giveWorktrees(t *testing.T, plain *postgres.DB, big uuid.UUID) {
	t.Helper()
	for digit := range 16 { // in parts, each of which is soon done on any machine
		if _, err := plain.ExecContext(t.Context(), `
			UPDATE conversations
			   SET roots = ARRAY['/srv/ws/teams/' || team_id || '/worktrees/' || id || '/repository'],
			       visibility = CASE WHEN team_id <> $1 AND id::text < '33' THEN 'private' ELSE 'team' END,
			       state = CASE WHEN id::text >= 'ffbf' THEN 'deleted' ELSE 'live' END
			 WHERE left(id::text, 1) = to_hex($2::integer)`, big, digit); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := plain.ExecContext(t.Context(), `VACUUM ANALYZE conversations, conversation_roots`); err != nil {
		t.Fatal(err)
	}
}

func containing(s *Service, p *access.Principal, team uuid.UUID, path string, want error) func() error {
	return func() error {
		_, err := s.Containing(context.Background(), p, team, path)
		if !errors.Is(err, want) {
			return fmt.Errorf("got %w, want %w", err, want)
		}
		return nil
	}
}

func closed(t *testing.T, s *Service, p *access.Principal, path string, below bool) func() error {
	return func() error { _, err := s.Closed(t.Context(), p, path, below); return err }
}

func claimTwenty(t *testing.T, s *Service) func() error {
	return func() error {
		claimed, err := s.ClaimGarbage(t.Context(), 20, everything)
		if err == nil && len(claimed) != 20 {
			return fmt.Errorf("%d were claimed, want 20", len(claimed))
		}
		return err
	}
}

func reserveAt(t *testing.T, s *Service, team uuid.UUID, folder string) func() error {
	return func() error {
		err := s.Reserve(t.Context(), Conversation{ID: uuid.New(), Team: team, WorkingDir: folder})
		if errors.Is(err, ErrCollecting) {
			return nil // another case claimed something below
		}
		return err
	}
}
