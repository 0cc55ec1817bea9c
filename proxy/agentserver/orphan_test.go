package agentserver_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

func TestConversationsOfATeamThatIsGoneEndAtTheUpstream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.create("ann", nil), w.create("bob", nil)
	err := w.db.InTx(t.Context(), func(tx *postgres.Tx) error {
		return w.conversations.EndTeam(t.Context(), tx, w.gate["ann"].CurrentTeam)
	})
	if err != nil {
		t.Fatal(err)
	}
	end := func() int {
		t.Helper()
		w.upstream.forget()
		n, err := w.dialect.EndOrphans(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var refuses atomic.Bool
	refuses.Store(true)
	w.upstream.script(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == http.MethodDelete && refuses.Load() {
			rw.WriteHeader(http.StatusInternalServerError)
			return true
		}
		return false
	})
	if n, err := w.dialect.EndOrphans(context.Background()); n != 0 || err == nil {
		t.Errorf("%d ended although the upstream refused: %v", n, err)
	}
	refuses.Store(false)
	w.clock.ahead = 2 * time.Minute
	if n := end(); n != 1 {
		t.Errorf("%d ended", n)
	}
	asked := w.upstream.arrived("/api/conversations/")
	if len(asked) != 1 || asked[0].method != http.MethodDelete || !strings.HasSuffix(asked[0].path, ann.String()) {
		t.Errorf("asked %v", asked)
	}
	w.clock.ahead = time.Hour
	if n := end(); n != 0 || len(w.upstream.arrived("/")) != 0 {
		t.Errorf("%d again", n)
	}
	if res := w.ask("bob", "GET", "/api/conversations/"+bob.String(), nil); res.status != 200 {
		t.Errorf("bob's: %d", res.status)
	}
}
