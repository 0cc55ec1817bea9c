package e2e_test

import (
	"database/sql"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/e2e/stack"
)

func TestAnonymousModeIsATenantThatTheOperatorTurnsOnAndOff(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	user := signedUp(t, server.url)
	foreign := user.create("")

	nobody := newClient(t, server.url)
	nobody.want(http.StatusUnauthorized, nobody.get("/api/conversations/search"))
	nobody.want(http.StatusFound, nobody.page("/"))

	server.command(t, "anonymous", "on")
	within(t, revocation, "anonymous use works", func() error {
		if status := nobody.get("/api/conversations/search").status; status != http.StatusOK {
			return fmt.Errorf("status %d", status)
		}
		return nil
	})
	nobody.want(http.StatusOK, nobody.page("/"))
	nobody.want(http.StatusOK, nobody.get("/api/settings"))
	if list := nobody.get("/api/conversations/search").body; strings.Contains(list, foreign) {
		t.Errorf("the user's conversation is in the anonymous list")
	}
	nobody.want(http.StatusNotFound, nobody.get("/api/conversations/"+foreign))

	id := nobody.create("run: pwd")
	nobody.finished(id)
	if history := nobody.events(id); !strings.Contains(history, "/teams/00000000-0000-4000-8000-0000000a0000/") {
		t.Errorf("the agent did not work in the anonymous team's root")
	}
	user.want(http.StatusNotFound, user.get("/api/conversations/"+id))
	for _, path := range []string{"/api/file/download?path=/etc/passwd", "/api/git/changes?path=/", "/api/file/archive?path=/etc"} {
		nobody.want(http.StatusNotFound, nobody.get(path))
	}
	nobody.want(http.StatusUnprocessableEntity, nobody.post("/api/conversations", map[string]any{
		"agent_settings": map[string]any{}, "workspace": map[string]any{"working_dir": "/etc"},
	}))
	bad := newClient(t, server.url)
	bad.token = "no.such.token"
	bad.want(http.StatusUnauthorized, bad.get("/api/conversations/search"))

	socket := nobody.socket("/sockets/events/" + id + "?resend_mode=all")
	if err := socket.Write(t.Context(), 1, []byte(`{"type":"auth","session_api_key":"cookie"}`)); err != nil {
		t.Fatal(err)
	}
	readUntil(t, socket, "full_state")
	server.command(t, "anonymous", "off")
	if code := closeCode(t, socket, revocation); code != 4001 {
		t.Errorf("the anonymous socket closed with %d, want 4001", code)
	}
	within(t, revocation, "anonymous use ends", func() error {
		if status := nobody.get("/api/conversations/search").status; status != http.StatusUnauthorized {
			return fmt.Errorf("status %d", status)
		}
		return nil
	})
	nobody.want(http.StatusFound, nobody.page("/"))
}

// page asks as a browser does that goes to an address.
func (c *client) page(path string) answer {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), "GET", c.base+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	a, err := do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

func TestAConversationWithoutARowIsNobodysUntilItIsAdoptedFromAFolderOfNoTeam(t *testing.T) {
	t.Parallel()
	server := start(t, map[string]string{"ANONYMOUS_MODE": "passthrough"})
	user := signedUp(t, server.url)
	id := user.create("")
	nobody := newClient(t, server.url)

	db, err := sql.Open("postgres", server.database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `DELETE FROM conversations WHERE id = $1`, id); err != nil {
		t.Fatal(err)
	}
	server = server.restart(t) // a row removed by hand is not notified
	user.base, nobody.base = server.url, server.url
	for _, c := range []*client{user, nobody} {
		c.want(http.StatusNotFound, c.get("/api/conversations/"+id))
		if list := c.want(http.StatusOK, c.get("/api/conversations/search")).body; strings.Contains(list, id) {
			t.Errorf("the conversation is in a list")
		}
	}
	// Its id lives on upstream, so it must not be claimable by a create either.
	user.want(http.StatusConflict, user.post("/api/conversations", map[string]any{
		"conversation_id": id, "agent_settings": map[string]any{}, "workspace": map[string]any{"working_dir": ""},
	}))

	earlier := madeAt(t, world.upstream)
	server.command(t, "conversations", "adopt", "--anonymous")
	within(t, 5*time.Second, "the adopted conversation shows", func() error {
		if status := nobody.get("/api/conversations/" + earlier).status; status != http.StatusOK {
			return fmt.Errorf("status %d", status)
		}
		return nil
	})
	user.want(http.StatusNotFound, user.get("/api/conversations/"+earlier))
	for _, c := range []*client{user, nobody} { // with it, nobody in particular would see the files of the user's team
		c.want(http.StatusNotFound, c.get("/api/conversations/"+id))
	}
}

func TestAnonymousUseInTheBrowserIsLikeSingleUserOpenHands(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	signedUp(t, server.url) // with a user nothing is adopted: the upstream is that of all tests
	server.command(t, "anonymous", "on")
	nobody := newClient(t, server.url)
	within(t, revocation, "anonymous use works", func() error {
		if status := nobody.page("/").status; status != http.StatusOK {
			return fmt.Errorf("status %d", status)
		}
		return nil
	})

	b := newBrowser(t, "anonymous")
	b.do("canvas", chromedp.Navigate(server.url+"/"), chromedp.WaitVisible(home), chromedp.WaitVisible(chatBox))
	b.content()
	b.find("button", "Anonymous")
	b.do("sent", send("run: echo nobody-$((6*7))"))
	b.sees("nobody-42")
	b.do("answered")
	b.content()

	server.command(t, "anonymous", "off")
	within(t, revocation, "anonymous use ends", func() error {
		if status := nobody.page("/").status; status != http.StatusFound {
			return fmt.Errorf("status %d", status)
		}
		return nil
	})
	b.do("off", chromedp.Reload(), chromedp.WaitVisible(passBox))
}

// TestWhatASingleUserOfOpenHandsHadIsTheAnonymousTeams has an upstream of its own, because the settings and the conversations
// of an upstream are one for all who use it.
func TestWhatASingleUserOfOpenHandsHadIsTheAnonymousTeams(t *testing.T) {
	t.Parallel()
	upstream := ownUpstream(t, "single-user")
	before := madeAt(t, upstream)
	own := map[string]string{
		"UPSTREAM_URL": upstream.URL(), "UPSTREAM_API_KEY_FILE": upstream.KeyFile(), "UPSTREAM_WORKSPACE_ROOT": upstream.Workspaces(),
		"OPERATOR_LLM_MODEL": "", "OPERATOR_LLM_BASE_URL": "", "OPERATOR_LLM_API_KEY": "",
	}

	t.Run("their conversations, when it is first turned on", func(t *testing.T) {
		server := start(t, own)
		nobody := newClient(t, server.url)
		nobody.want(http.StatusUnauthorized, nobody.get("/api/conversations/"+before))
		server.command(t, "anonymous", "on")
		within(t, 20*time.Second, "the earlier conversation is there", func() error {
			if a := nobody.get("/api/conversations/search"); a.status != http.StatusOK || !strings.Contains(a.body, before) {
				return fmt.Errorf("%d %.300s", a.status, a.body)
			}
			return nil
		})
		nobody.want(http.StatusOK, nobody.get("/api/conversations/"+before))
		user := signedUp(t, server.url)
		user.want(http.StatusNotFound, user.get("/api/conversations/"+before))
	})

	t.Run("their model and key, with STORAGE_BACKEND=file", func(t *testing.T) {
		env := map[string]string{"STORAGE_BACKEND": "file", "ANONYMOUS_MODE": "passthrough", "EGRESS_ALLOW": "127.0.0.0/8"}
		maps.Copy(env, own)
		nobody := newClient(t, start(t, env).url)
		changed := nobody.want(http.StatusOK, nobody.json("PATCH", "/api/settings", map[string]any{
			"agent_settings_diff": map[string]any{"llm": map[string]any{
				"model": world.llm.Model(), "base_url": world.llm.URL(), "api_key": world.llm.Key(),
			}},
		}))
		shown := nobody.exposed("/api/settings")
		for _, a := range []answer{changed, shown, nobody.get("/api/settings")} {
			if !strings.Contains(a.body, world.llm.Model()) || strings.Contains(a.body, world.llm.Key()) || strings.Contains(a.body, "gAAAA") {
				t.Errorf("the model is missing in the settings, or a key is in them: %d %s", a.status, a.body)
			}
		}
		var settings struct {
			Agent map[string]any `json:"agent_settings"`
		}
		shown.json(t, &settings)
		created := nobody.want(http.StatusCreated, nobody.post("/api/conversations", map[string]any{ // as Canvas does
			"agent_settings": settings.Agent, "workspace": map[string]any{"working_dir": ""}, "initial_message": said("run: echo own-$((6*7))"),
		}))
		id := nobody.field(created, "id")
		nobody.finished(id)
		history := nobody.events(id)
		info := nobody.want(http.StatusOK, nobody.get("/api/conversations/"+id))
		if !strings.Contains(history, "own-42") {
			t.Errorf("the agent did not work with the stored model: %.3000s", history)
		}
		if all := created.body + history + info.body; strings.Contains(all, world.llm.Key()) || strings.Contains(all, "gAAAA") {
			t.Error("an answer holds the stored key, or a token for it")
		}
	})
}

// madeAt creates a conversation at the upstream itself, as its single user did before there was anything in front of it.
func madeAt(t *testing.T, upstream *stack.Upstream) string {
	t.Helper()
	body := newTalk()
	body["agent_settings"] = map[string]any{"llm": map[string]any{"model": world.llm.Model(), "base_url": world.llm.URL(), "api_key": world.llm.Key()}}
	body["workspace"] = map[string]any{"working_dir": filepath.Join(upstream.Workspaces(), "earlier", uuid.NewString())}
	r, err := http.NewRequestWithContext(t.Context(), "POST", upstream.URL()+"/api/conversations", jsonBody(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Session-API-Key", upstream.Key())
	a, err := do(r)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, upstream.URL())
	return c.field(c.want(http.StatusCreated, a), "id")
}

// exposed asks as Canvas does before a create: for something that stands for the key.
func (c *client) exposed(path string) answer {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), "GET", c.base+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("X-Expose-Secrets", "encrypted")
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	a, err := do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.want(http.StatusOK, a)
}
