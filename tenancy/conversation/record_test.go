package conversation_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	. "github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

type line struct {
	Team   uuid.UUID     `db:"team_id"`
	By     uuid.NullUUID `db:"actor_id"`
	Actor  string        `db:"actor"`
	Action string        `db:"action"`
	Object string        `db:"object"`
	Detail string        `db:"detail"`
}

func (w *world) lines() []line {
	w.t.Helper()
	var all []line
	err := w.db.SelectContext(w.t.Context(), &all, `
		SELECT team_id, actor_id, actor, action, object, detail
		  FROM audit_log
		 ORDER BY id`)
	w.must(err)
	return all
}

func TestWhoMadeAndDeletedAConversationIsRecordedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.make(Conversation{Starter: w.ada})
	w.must(w.Commit(t.Context(), first.ID, "")) // once more is fine
	child := w.make(Conversation{Parent: first.ID})
	fork := w.make(Conversation{Starter: w.bob, ForkedFrom: first.ID})
	bob := w.member(w.bob)
	bob.Email = "bob@example.org"
	for range 2 {
		w.must(w.Delete(t.Context(), first.ID, bob))
	}
	w.must(w.Delete(t.Context(), child.ID, &access.Principal{Anonymous: true}))
	w.must(w.Delete(t.Context(), fork.ID, nil))
	failed := uuid.New()
	w.must(w.Reserve(t.Context(), Conversation{ID: failed, Team: w.ours}))
	w.must(w.Fail(t.Context(), failed))

	by := func(id uuid.UUID) uuid.NullUUID { return uuid.NullUUID{UUID: id, Valid: true} }
	want := []line{
		{w.ours, by(w.ada), w.ada.String(), "conversation.create", first.ID.String(), "{}"},
		{w.ours, uuid.NullUUID{}, "anonymous", "conversation.create", child.ID.String(), `{"parent": "` + first.ID.String() + `"}`},
		{w.ours, by(w.bob), w.bob.String(), "conversation.fork", fork.ID.String(), `{"from": "` + first.ID.String() + `"}`},
		{w.ours, by(w.bob), "bob@example.org", "conversation.delete", first.ID.String(), "{}"},
		{w.ours, uuid.NullUUID{}, "anonymous", "conversation.delete", child.ID.String(), "{}"},
		{w.ours, uuid.NullUUID{}, "command line", "conversation.delete", fork.ID.String(), "{}"},
	}
	if diff := cmp.Diff(want, w.lines()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got, err := w.Get(t.Context(), fork.ID)
	if err != nil || got.ForkedFrom != first.ID {
		t.Errorf("forked from %v (%v)", got.ForkedFrom, err)
	}
}
