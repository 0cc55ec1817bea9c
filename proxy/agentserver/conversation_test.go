package agentserver_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

func TestAConversationShowsNothingOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	foreign, own := w.create("bob", nil), w.create("ann", nil)
	id := w.create("ann", nil)
	w.upstream.add(id, map[string]any{
		"sub_conversation_ids": []any{foreign.String(), own.String(), uuid.NewString(), "strange"}, "parent_conversation_id": foreign.String(),
		"forked_from_conversation_id": foreign.String(), "forked_from_event_id": "e1",
		"agent": map[string]any{"llm": map[string]any{
			"model": "m", "api_key": operatorKey, "extra_headers": map[string]any{"A": "secret"}, "litellm_extra_body": map[string]any{"b": "secret"},
		}, "mcp_config": map[string]any{"x": map[string]any{"auth": map[string]any{
			"strategy": "oauth2", "state": map[string]any{"tokens": map[string]any{"id_token": "secret"}},
		}}}},
	})
	w.upstream.script(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == "GET" && strings.HasSuffix(r.URL.Path, id.String()) {
			w.upstream.mu.Lock()
			w.upstream.conversations[id.String()]["seed"] = rawNumber("900719925474099312")
			w.upstream.mu.Unlock()
		}
		return false
	})
	a := w.ask("ann", "GET", conversationsPath+"/"+id.String(), nil)
	for _, hidden := range []string{foreign.String(), "/var/upstream", "secret", operatorKey, "strange", `"e1"`} {
		if strings.Contains(a.body, hidden) {
			t.Errorf("the answer holds %q: %s", hidden, a.body)
		}
	}
	if got := a.object(t)["sub_conversation_ids"]; len(got.([]any)) != 1 || got.([]any)[0] != own.String() {
		t.Errorf("children %v, want the own one", got)
	}
	if !strings.Contains(a.body, "900719925474099312") {
		t.Error("a big integer lost digits")
	}
	if got, present := a.object(t)["persistence_dir"]; got != nil || !present {
		t.Errorf("persistence_dir %v, want null", got)
	}
}

type rawNumber string

func (n rawNumber) MarshalJSON() ([]byte, error) { return []byte(n), nil }

// Every operation that names a conversation answers for a foreign one exactly as for one that never was, and the upstream does
// not hear of either.
func TestForeignAndUnknownConversationsAnswerAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	foreign, unknown := w.create("bob", nil), uuid.New()
	w.upstream.forget()
	asked := 0
	for _, o := range agentserver.Routes() {
		if o.WebSocket || !strings.Contains(o.Path, "{conversation_id}") {
			continue
		}
		answers := map[uuid.UUID]answer{}
		for _, id := range []uuid.UUID{foreign, unknown} {
			path := parameter.ReplaceAllString(strings.ReplaceAll(o.Path, "{trajectory_conversation_id}", id.String()), "x")
			path = strings.Replace(path, "/conversations/x", "/conversations/"+id.String(), 1)
			path = strings.Replace(path, "/download-trajectory/x", "/download-trajectory/"+id.String(), 1)
			answers[id] = w.ask("ann", o.Method, path+"?path=/srv", `{"title":"x"}`)
		}
		asked++
		a, b := answers[foreign], answers[unknown]
		a.header.Del("Date")
		b.header.Del("Date")
		if a.status != b.status || a.body != b.body || len(a.header) != len(b.header) {
			t.Errorf("%s %s: foreign %d %s, unknown %d %s", o.Method, o.Path, a.status, a.body, b.status, b.body)
		}
		if a.status != http.StatusNotFound && a.status != http.StatusForbidden {
			t.Errorf("%s %s: %d %s, want 404, or 403 where nobody may", o.Method, o.Path, a.status, a.body)
		}
	}
	if asked < 40 {
		t.Errorf("only %d operations were tried", asked)
	}
	if got := w.upstream.arrived("/"); len(got) != 0 {
		t.Errorf("forwarded: %v", got)
	}
}

func TestDeleteClosesTheId(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	there, gone := w.create("ann", nil), w.create("ann", nil)
	w.upstream.remove(gone) // deleted behind our back: the upstream answers 400
	for _, id := range []uuid.UUID{there, gone} {
		if a := w.ask("ann", "DELETE", conversationsPath+"/"+id.String(), nil); a.status != 200 || a.body != `{"success":true}` {
			t.Errorf("%d %s, want success", a.status, a.body)
		}
		if got := w.state(id); got != access.StateDeleted {
			t.Errorf("state %d, want deleted", got)
		}
		if a := w.ask("ann", "GET", conversationsPath+"/"+id.String(), nil); a.status != 404 {
			t.Errorf("read after delete: %d, want 404", a.status)
		}
	}
}

func TestDeleteThatTheUpstreamFailedKeepsTheConversation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", nil)
	w.upstream.script(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
		rw.WriteHeader(500)
		return true
	})
	if a := w.ask("ann", "DELETE", conversationsPath+"/"+id.String(), nil); a.status != http.StatusBadGateway {
		t.Errorf("%d %s, want 502", a.status, a.body)
	}
	if got := w.state(id); got != access.StateLive {
		t.Errorf("state %d, want live", got)
	}
}

func TestADeveloperDeletesOnlyWhatSheStarted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", nil)
	other := *w.gate["ann"]
	other.User = w.gate["bob"].User // a colleague
	w.gate["cem"] = &other
	if a := w.ask("cem", "DELETE", conversationsPath+"/"+id.String(), nil); a.status != http.StatusForbidden {
		t.Errorf("%d %s, want 403", a.status, a.body)
	}
}

func TestPatchForwardsTitleAndTagsOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", nil)
	w.upstream.forget()
	body := map[string]any{"title": "New", "tags": map[string]any{"a": "b"}, "workspace": map[string]any{"working_dir": "/"}, "id": "x"}
	if a := w.ask("ann", "PATCH", conversationsPath+"/"+id.String(), body); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if got, want := w.upstream.arrived("/")[0].body, `{"tags":{"a":"b"},"title":"New"}`; got != want {
		t.Errorf("forwarded %s, want %s", got, want)
	}
	row, err := w.conversations.Get(t.Context(), id)
	if err != nil || row.Title != "New" {
		t.Errorf("our row says %q (%v), want New", row.Title, err)
	}
	for _, bad := range []any{"", strings.Repeat("x", 201), 1} {
		if a := w.ask("ann", "PATCH", conversationsPath+"/"+id.String(), map[string]any{"title": bad}); a.status != 422 {
			t.Errorf("title %v: %d, want 422", bad, a.status)
		}
	}
}

var usageID = regexp.MustCompile(`switched-[0-9a-f-]{36}`)

func TestCommandsAreBoundedToWhatIsKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", nil).String()
	for name, c := range map[string]struct {
		path string
		body any
		want string // forwarded; "" for 422 and nothing forwarded
	}{
		"a known policy":       {"/confirmation_policy", map[string]any{"policy": map[string]any{"kind": "AlwaysConfirm", "x": 1}}, `{"policy":{"kind":"AlwaysConfirm"}}`},
		"another policy":       {"/confirmation_policy", map[string]any{"policy": map[string]any{"kind": "x"}}, ""},
		"no analyzer":          {"/security_analyzer", map[string]any{"security_analyzer": nil}, `{"security_analyzer":null}`},
		"another analyzer":     {"/security_analyzer", map[string]any{"security_analyzer": map[string]any{"kind": "EnsembleSecurityAnalyzer"}}, ""},
		"a plain secret":       {"/secrets", map[string]any{"secrets": map[string]any{"A": "b"}}, `{"secrets":{"A":{"kind":"StaticSecret","value":"b"}}}`},
		"a secret elsewhere":   {"/secrets", map[string]any{"secrets": map[string]any{"A": map[string]any{"kind": "LookupSecret", "url": "http://127.0.0.1/"}}}, ""},
		"a sealed secret":      {"/secrets", map[string]any{"secrets": map[string]any{"A": "gAAAAAB"}}, ""},
		"the house model":      {"/switch_llm", map[string]any{"llm": map[string]any{"model": "openai/house"}}, `{"llm":{"api_key":"` + operatorKey + `","base_url":"http://203.0.113.7/v1","model":"openai/house","usage_id":"switched-*"}}`},
		"a goal":               {"/goal", map[string]any{"objective": "x", "max_iterations": 50, "y": 1}, `{"max_iterations":50,"objective":"x"}`},
		"a goal as it is":      {"/goal", map[string]any{"objective": "x", "max_iterations": nil}, `{"objective":"x"}`},
		"a goal without end":   {"/goal", map[string]any{"objective": "x", "max_iterations": 51}, ""},
		"a goal of nothing":    {"/goal", map[string]any{"max_iterations": 1}, ""},
		"a sealed key":         {"/switch_llm", map[string]any{"llm": map[string]any{"model": "openai/x", "api_key": "gAAAAAB"}}, ""},
		"an inner address":     {"/switch_llm", map[string]any{"llm": map[string]any{"model": "openai/x", "api_key": "sk", "base_url": "http://10.0.0.1"}}, ""},
		"no model":             {"/switch_llm", map[string]any{}, ""},
		"a user's message":     {"/events", map[string]any{"role": "user", "content": []any{map[string]any{"type": "text", "text": "x"}}, "sender": "y"}, `{"content":[{"text":"x","type":"text"}],"role":"user"}`},
		"a system message":     {"/events", map[string]any{"role": "system", "content": []any{}}, ""},
		"a question":           {"/ask_agent", map[string]any{"question": "x", "y": 1}, `{"question":"x"}`},
		"a word of consent":    {"/events/respond_to_confirmation", map[string]any{"accept": true, "reason": "r", "x": 1}, `{"accept":true,"reason":"r"}`},
		"a strange consent":    {"/events/respond_to_confirmation", map[string]any{"accept": "yes"}, ""},
		"a jump":               {"/navigate", map[string]any{"event_id": "e", "x": 1}, `{"event_id":"e"}`},
		"a list where a text":  {"/navigate", map[string]any{"event_id": []any{}}, ""},
		"a number as a secret": {"/secrets", map[string]any{"secrets": map[string]any{"A": 1}}, ""},
	} {
		w.upstream.forget()
		a := w.ask("ann", "POST", conversationsPath+"/"+id+c.path, c.body)
		sent := w.upstream.arrived("/")
		switch {
		case c.want == "" && (a.status != 422 || len(sent) != 0):
			t.Errorf("%s: %d %s and %d forwarded, want 422 and none", name, a.status, a.body, len(sent))
		case c.want != "" && (a.status != 200 || len(sent) != 1 || usageID.ReplaceAllString(sent[0].body, "switched-*") != c.want):
			t.Errorf("%s: %d %s, forwarded %+v, want %s", name, a.status, a.body, sent, c.want)
		}
	}
}

func TestCommandsBringAConversationToTheTop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.create("ann", nil), w.create("ann", nil)
	w.clock.ahead = time.Minute
	if a := w.ask("ann", "POST", conversationsPath+"/"+first.String()+"/run", nil); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	page, _, err := w.conversations.Page(t.Context(), w.gate["ann"], w.gate["ann"].CurrentTeam, conversation.Query{Sort: conversation.UpdatedDescending})
	if err != nil || len(page) != 2 || page[0].ID != first || page[1].ID != second {
		t.Errorf("order %v (%v), want the run one first", page, err)
	}
}

func TestAViewerChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", nil).String()
	w.upstream.forget()
	for _, o := range agentserver.Routes() {
		least, ok := access.LeastRole(o.Permission)
		if !ok || least == access.Viewer || o.WebSocket {
			continue
		}
		path := parameter.ReplaceAllString(strings.Replace(o.Path, "{conversation_id}", id, 1), "x")
		if a := w.ask("vic", o.Method, path, `{}`); a.status != http.StatusForbidden {
			t.Errorf("%s %s: %d %s, want 403", o.Method, path, a.status, a.body)
		}
	}
	if got := w.upstream.arrived("/"); len(got) != 0 {
		t.Errorf("forwarded: %v", got)
	}
}

func TestARunSendsNothingOfTheClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", nil).String()
	for _, call := range []string{"/run", "/pause", "/interrupt", "/condense", "/goal/stop", "/goal/resume", "/runtime/reprovision"} {
		w.upstream.forget()
		a := w.ask("ann", "POST", conversationsPath+"/"+id+call, map[string]any{"x": "y"})
		if sent := w.upstream.arrived("/"); a.status != 200 || len(sent) != 1 || sent[0].body != "" {
			t.Errorf("%s: %d %s, forwarded %+v", call, a.status, a.body, sent)
		}
	}
}
