package agentserver_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
)

// models gives the upstream's conversation an agent with the given model.
func (w *world) model(id uuid.UUID, llm map[string]any) {
	w.upstream.mu.Lock()
	defer w.upstream.mu.Unlock()
	w.upstream.conversations[id.String()]["agent"] = map[string]any{"llm": llm}
}

func (w *world) fork(who string, id uuid.UUID, body any) answer {
	w.t.Helper()
	return w.ask(who, "POST", conversationsPath+"/"+id.String()+"/fork", body)
}

// switched is the model that the upstream was last told to take.
func (w *world) switched() (path string, llm map[string]any) {
	w.t.Helper()
	for _, r := range w.upstream.arrived(conversationsPath) {
		if strings.HasSuffix(r.path, "/switch_llm") {
			path, llm = r.path, within(w.t, parsed[map[string]any](w.t, r.body), "llm").(map[string]any)
		}
	}
	return path, llm
}

func TestAForkIsOnesOwnUnderAnIdOfOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source, asked := w.create("ann", nil), uuid.New()
	w.model(source, map[string]any{
		"model": "openai/house", "base_url": "http://203.0.113.7/v1", "api_key": nil, "temperature": 0.5, "usage_id": "default",
		"extra_headers": map[string]any{"A": "hidden"}, "log_completions_folder": "logs",
	})
	w.upstream.forget()
	a := w.fork("ann", source, map[string]any{"id": asked, "title": "Again", "tags": map[string]any{"a": "b"}, "agent": "x", "reset_metrics": false})
	if a.status != http.StatusCreated || strings.Contains(a.body, "hidden") || strings.Contains(a.body, "/var/upstream") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	made := a.object(t)
	id := uuid.MustParse(made["id"].(string))
	if id == asked || made["forked_from_conversation_id"] != source.String() {
		t.Errorf("made %v", made)
	}
	sent := parsed[map[string]any](t, w.upstream.arrived(conversationsPath)[0].body)
	want := map[string]any{"id": id.String(), "title": "Again", "tags": map[string]any{"a": "b"}, "reset_metrics": false}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Errorf("forwarded (-want +got):\n%s", diff)
	}
	row, err := w.conversations.Get(t.Context(), id)
	from, _ := w.conversations.Get(t.Context(), source)
	if err != nil || row.State != access.StateLive || row.Team != from.Team || row.WorkingDir != from.WorkingDir || row.ForkedFrom != source || row.Title != "Again" || row.Starter != w.gate["ann"].User {
		t.Errorf("row %+v (%v)", row, err)
	}
	path, llm := w.switched()
	usage, _ := llm["usage_id"].(string)
	delete(llm, "usage_id")
	model := map[string]any{"model": "openai/house", "base_url": "http://203.0.113.7/v1", "api_key": operatorKey, "temperature": 0.5}
	if diff := cmp.Diff(model, llm); diff != "" || path != conversationsPath+"/"+id.String()+"/switch_llm" || !strings.HasPrefix(usage, "switched-") {
		t.Errorf("switched %s as %q (-want +got):\n%s", path, usage, diff)
	}
	if a := w.ask("ann", "GET", conversationsPath+"/"+id.String(), nil); a.status != http.StatusOK {
		t.Errorf("read: %d %s", a.status, a.body)
	}
	for _, who := range []string{"bob", "vic"} {
		if a := w.fork(who, source, nil); a.status != map[string]int{"bob": 404, "vic": 403}[who] {
			t.Errorf("%s: %d %s", who, a.status, a.body)
		}
	}
	if a := w.fork("ann", source, nil); a.status != http.StatusCreated {
		t.Errorf("without a body: %d %s", a.status, a.body)
	}
	if a := w.fork("ann", source, map[string]any{"title": strings.Repeat("x", 201)}); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a long title: %d %s", a.status, a.body)
	}
}

// A key that somebody brought is not ours to give on, and no key at all would be the server's own.
func TestAForkOfAModelWithAKeyOfItsOwnGetsAKeyThatOpensNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := w.create("ann", nil)
	for _, c := range []struct{ llm, want map[string]any }{
		{map[string]any{"model": "openai/mine", "base_url": "http://203.0.113.9/v1"},
			map[string]any{"model": "openai/mine", "base_url": "http://203.0.113.9/v1", "api_key": "unused"}},
		{map[string]any{"model": "openai/house", "base_url": "http://203.0.113.9/v1"},
			map[string]any{"model": "openai/house", "base_url": "http://203.0.113.9/v1", "api_key": "unused"}},
		{map[string]any{"model": "bedrock/x", "aws_region_name": "eu-west-1"},
			map[string]any{"model": "bedrock/x", "aws_region_name": "eu-west-1", "api_key": "unused", "aws_access_key_id": "unused", "aws_secret_access_key": "unused"}},
	} {
		w.model(source, c.llm)
		if a := w.fork("ann", source, map[string]any{}); a.status != http.StatusCreated {
			t.Fatalf("%d %s", a.status, a.body)
		}
		_, llm := w.switched()
		delete(llm, "usage_id")
		if diff := cmp.Diff(c.want, llm); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.llm, diff)
		}
	}
}

func TestAForkThatFailedIsSettledLater(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status  int    // the upstream's answer
		at      string // to what
		made    bool
		client  int
		state   access.State // of the fork's row, then after it was settled
		settled access.State
	}{
		"refused":               {404, "/fork", false, 404, access.StateFailed, access.StateFailed},
		"failed":                {500, "/fork", false, 502, access.StateReserved, access.StateFailed},
		"failed but made":       {500, "/fork", true, 502, access.StateReserved, access.StateLive},
		"made and not switched": {500, "/switch_llm", true, 502, access.StateReserved, access.StateLive},
	} {
		w := newWorld(t)
		source := w.create("ann", nil)
		w.upstream.script(func(rw http.ResponseWriter, r *http.Request, body []byte) bool {
			if !strings.HasSuffix(r.URL.Path, c.at) {
				return false
			}
			if c.made && c.at == "/fork" {
				w.upstream.mu.Lock()
				w.upstream.fork(source.String(), body)
				w.upstream.mu.Unlock()
			}
			rw.WriteHeader(c.status)
			_, _ = rw.Write([]byte(`{"detail":"x"}`))
			return true
		})
		if a := w.fork("ann", source, map[string]any{}); a.status != c.client {
			t.Errorf("%s: %d %s, want %d", name, a.status, a.body, c.client)
		}
		var id uuid.UUID
		if err := w.db.Get(&id, `SELECT id FROM conversations WHERE forked_from_id = $1`, source); err != nil {
			t.Fatal(err)
		}
		if got := w.state(id); got != c.state {
			t.Errorf("%s: state %d, want %d", name, got, c.state)
		}
		w.upstream.script(nil)
		w.clock.ahead = time.Hour
		if _, err := w.dialect.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.state(id); got != c.settled {
			t.Errorf("%s: settled as %d, want %d", name, got, c.settled)
		}
	}
}

func TestAForkOfAPrivateConversationIsPrivate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := w.create("ann", nil)
	w.exec(w.db, `UPDATE conversations SET visibility = 'private' WHERE id = $1`, source)
	a := w.fork("ann", source, nil)
	if a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	row, err := w.conversations.Get(t.Context(), uuid.MustParse(a.object(t)["id"].(string)))
	if err != nil || !row.Private {
		t.Errorf("%+v (%v)", row, err)
	}
}

// The upstream keeps the model that it has under a name, whatever comes under it later.
func TestEveryModelThatIsSwitchedToHasANameOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", nil).String()
	seen := map[any]bool{}
	for range 2 {
		if a := w.ask("ann", "POST", conversationsPath+"/"+id+"/switch_llm", map[string]any{"llm": map[string]any{"usage_id": "default"}}); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		_, llm := w.switched()
		seen[llm["usage_id"]] = true
	}
	if len(seen) != 2 || seen["default"] {
		t.Errorf("names %v", seen)
	}
}
