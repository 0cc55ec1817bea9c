package conversation_test

import (
	"testing"

	"github.com/openhands-saas/openhands-saas/access"
	. "github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

func TestFoldersOfPrivateConversationsAreClosedToOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.make(Conversation{Starter: w.bob, Private: true, WorkingDir: "/team/a_b/p", Roots: []string{"/tree/p"}})
	w.make(Conversation{Starter: w.bob, WorkingDir: "/team/open"})
	dead := w.make(Conversation{Starter: w.bob, Private: true, WorkingDir: "/team/dead"})
	w.must(w.Delete(t.Context(), dead.ID, nil))
	ada, bob, nobody := w.member(w.ada), w.member(w.bob), &access.Principal{Anonymous: true}
	for _, c := range []struct {
		who         *access.Principal
		path        string
		above, both bool // closed without and with what lies below
	}{
		{ada, "/team/a_b/p", true, true},
		{ada, "/team/a_b/p/deep/file", true, true},
		{ada, "/tree/p/x", true, true},
		{ada, "/team/dead/x", true, true},
		{ada, "/team/a_b", false, true},
		{ada, "/team", false, true},
		{ada, "/tree", false, true},
		{ada, "/team/axb", false, false},
		{ada, "/team/a_b/pp", false, false},
		{ada, "/team/open/x", false, false},
		{ada, "relative", true, true},
		{ada, "/team/../x", true, true},
		{nobody, "/team/a_b/p", true, true},
		{bob, "/team/a_b/p/x", false, false},
		{bob, "/team", false, false},
	} {
		for below, want := range map[bool]bool{false: c.above, true: c.both} {
			if got, err := w.Closed(t.Context(), c.who, c.path, below); err != nil || got != want {
				t.Errorf("%s, below %v: %v (%v), want %v", c.path, below, got, err, want)
			}
		}
	}
}
