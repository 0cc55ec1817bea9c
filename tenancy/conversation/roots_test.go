package conversation_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	. "github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

// What is found by a root is found by a second table, which must follow the first.
func TestRootsAreFoundAsTheyAreNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := uuid.New()
	reserve := func(private bool, roots ...string) {
		t.Helper()
		w.must(w.Reserve(t.Context(), Conversation{ID: id, Team: w.ours, Starter: w.ada, Private: private, Roots: roots}))
	}
	reserve(false, "/trees/old", "/trees/both", "/trees/both")
	w.must(w.Fail(t.Context(), id))
	reserve(true, "/trees/both", "/trees/new")
	w.must(w.Commit(t.Context(), id, ""))
	for path, want := range map[string]bool{"/trees/old": false, "/trees/both/x": true, "/trees/new": true} {
		c, err := w.Containing(t.Context(), w.member(w.ada), w.ours, path)
		if found := err == nil && c.ID == id; found != want {
			t.Errorf("%s is found: %v, want %v (%v)", path, found, want, err)
		}
		w.wantClosed(w.member(w.bob), path, false, want)
		w.wantClosed(w.member(w.ada), path, false, false)
	}
	w.wantClosed(w.member(w.bob), "/trees", true, true)
	w.wantClosed(w.member(w.bob), "/trees", false, false)
	w.wantClosed(w.member(w.bob), "/tree", true, false)
	w.wantClosed(w.member(w.ada), "/trees", true, false)

	w.exec(`UPDATE conversations SET visibility = 'team' WHERE id = $1`, id)
	w.wantClosed(w.member(w.bob), "/trees", true, false)
	w.exec(`UPDATE conversations SET visibility = 'private' WHERE id = $1`, id)
	w.wantClosed(w.member(w.bob), "/trees", true, true)
	late := w.make(Conversation{Starter: w.ada, Roots: []string{"/shrubs/late"}})
	w.wantClosed(w.member(w.bob), "/shrubs", true, false)
	w.exec(`UPDATE conversations SET visibility = 'private' WHERE id = $1`, late.ID)
	w.wantClosed(w.member(w.bob), "/shrubs", true, true)
	w.wantClosed(w.member(w.bob), "/shrubs/late/x", false, true)
	w.exec(`UPDATE conversations SET roots = '{}' WHERE id IN ($1, $2)`, id, late.ID)
	w.wantClosed(w.member(w.bob), "/trees", true, false)
	var folders []string
	w.must(w.db.SelectContext(t.Context(), &folders, `SELECT folder FROM conversation_roots`))
	if !slices.Equal(folders, nil) {
		t.Errorf("left: %v", folders)
	}
}

func (w *world) wantClosed(p *access.Principal, path string, below, want bool) {
	w.t.Helper()
	if got, err := w.Closed(w.t.Context(), p, path, below); got != want || err != nil {
		w.t.Errorf("%s (and below: %v) is closed: %v, want %v (%v)", path, below, got, want, err)
	}
}
