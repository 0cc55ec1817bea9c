package e2e_test

import (
	"database/sql"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tokenOf is what stands for the key of the model that counts for the caller.
func (c *client) tokenOf(path string) string {
	c.t.Helper()
	var shown struct {
		Agent struct {
			LLM struct {
				Key string `json:"api_key"`
			} `json:"llm"`
		} `json:"agent_settings"`
		Config struct {
			Key string `json:"api_key"`
		} `json:"config"`
	}
	c.want(http.StatusOK, c.reading("encrypted", path)).json(c.t, &shown)
	token := shown.Agent.LLM.Key + shown.Config.Key
	if !strings.HasPrefix(token, "ohv1.") {
		c.t.Fatalf("what stands for the key is %q", token)
	}
	return token
}

func tokens(t *testing.T, b *bank) {
	h := b.newHouse(t, "Tokens")
	first, second, third := b.plant(b.ben), b.plant(b.ben), b.plant(b.ben)
	h.ben.want(http.StatusOK, h.ben.patches(map[string]any{"llm": b.provider.model(first)}))
	h.ben.want(http.StatusCreated, h.ben.post("/api/profiles/other", map[string]any{"llm": b.provider.model(second)}))
	token := h.ben.tokenOf("/api/settings")
	id := h.ben.starts(talkWith(map[string]any{"llm": b.provider.model(token)}, "run: true"))
	b.provider.ranWith(t, id, first)

	turn := func(c *client) {
		t.Helper()
		c.want(http.StatusOK, c.post("/api/conversations/"+id+"/events", map[string]any{"role": "user", "content": said("say: again")["content"], "run": true}))
	}
	h.ben.want(http.StatusOK, h.ben.post("/api/conversations/"+id+"/switch_llm", map[string]any{"llm": b.provider.model(h.ben.tokenOf("/api/profiles/other"))}))
	turn(h.ben)
	b.provider.sawWith(t, id, second)
	planner := newTalk()
	delete(planner, "agent_settings")
	planner["agent"] = map[string]any{"kind": "Agent", "llm": b.provider.model(token), "tools": []any{}}
	planner["initial_message"] = said("say: planned")
	b.provider.ranWith(t, h.ben.starts(planner), first)

	cleo := b.cleo.as(t, "")
	cleo.want(http.StatusOK, cleo.patches(map[string]any{"llm": b.provider.model(b.plant(b.cleo))}))
	last := token[len(token)-1:]
	refused := map[string]string{
		"another tenant's":          cleo.tokenOf("/api/settings"),
		"one of the upstream's own": b.sealedByUpstream(t, id),
		"a changed one":             token[:len(token)-1] + map[bool]string{true: "B", false: "A"}[last == "A"],
		"a short one":               token[:40],
		"half of one":               "ohv1.",
	}
	h.ben.want(http.StatusOK, h.ben.patches(map[string]any{"llm": map[string]any{"api_key": third}}))
	refused["one of an older secret"] = token
	for name, token := range refused {
		for how, a := range map[string]answer{
			"a create":  h.ben.post("/api/conversations", talkWith(map[string]any{"llm": b.provider.model(token)}, "say: hello")),
			"a switch":  h.ben.post("/api/conversations/"+id+"/switch_llm", map[string]any{"llm": b.provider.model(token)}),
			"a patch":   h.ben.patches(map[string]any{"llm": map[string]any{"api_key": token}}),
			"a profile": h.ben.post("/api/profiles/stolen", map[string]any{"llm": b.provider.model(token)}),
			"a test":    h.ben.post("/api/profiles/stolen/validate", map[string]any{"llm": b.provider.model(token)}),
			"a secret":  h.ben.json("PUT", "/api/settings/secrets", map[string]any{"name": "STOLEN", "value": token}),
			"a secret of a conversation": h.ben.post("/api/conversations/"+id+"/secrets", map[string]any{
				"secrets": map[string]any{"STOLEN": map[string]any{"kind": "StaticSecret", "value": token}}}),
		} {
			if a.status != http.StatusUnprocessableEntity {
				t.Errorf("%s in %s is answered with %d: %.300s", name, how, a.status, a.body)
			}
		}
	}
	for name, c := range map[string]*client{"the same person elsewhere": b.ben.as(t, ""), "another member": h.ada} {
		token := h.ben.tokenOf("/api/settings")
		if a := c.post("/api/conversations", talkWith(map[string]any{"llm": b.provider.model(token)}, "say: hello")); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %.300s", name, a.status, a.body)
		}
	}
	for _, k := range b.provider.knocks() {
		if strings.HasPrefix(k.key, "ohv1.") || strings.HasPrefix(k.key, "gAAAA") {
			t.Errorf("the provider was sent what stands for a key: %s", k.key)
		}
	}
}

// sealedByUpstream is a model's key as the upstream keeps it.
func (b *bank) sealedByUpstream(t *testing.T, talk string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.upstreamRoot(), "conversations", strings.ReplaceAll(talk, "-", ""), "base_state.json"))
	found := sealedValue.Find(text)
	if err != nil || found == nil {
		t.Fatalf("the upstream keeps no sealed value of %s: %v", talk, err)
	}
	return string(found)
}

func reveals(t *testing.T, b *bank) {
	h := b.newHouse(t, "Reveals")
	teams, own, secret := b.plant(b.ada), b.plant(b.ben), b.plant(b.ben)
	h.ada.want(http.StatusOK, h.ada.with(h.keep, "PATCH", "/api/settings", map[string]any{"agent_settings_diff": map[string]any{"llm": b.provider.model(teams)}}))
	h.ben.want(http.StatusCreated, h.ben.post("/api/profiles/mine", map[string]any{"llm": b.provider.model(own)}))
	h.ben.want(http.StatusOK, h.ben.json("PUT", "/api/settings/secrets", map[string]any{"name": "MINE", "value": secret}))

	for _, c := range []struct {
		who    *client
		path   string
		status int
		has    string
	}{
		{h.ben, "/api/profiles/mine", http.StatusOK, own},
		{h.ben, "/api/settings/secrets/MINE", http.StatusOK, secret},
		{h.ben, "/api/settings", http.StatusOK, `"api_key":"ohv1.`}, // the team's
		{h.ada, "/api/settings", http.StatusOK, teams},
		{h.ada, "/api/profiles/mine", http.StatusNotFound, ""},
		{h.ada, "/api/settings/secrets/MINE", http.StatusNotFound, ""},
		{h.vic, "/api/settings", http.StatusForbidden, ""},
		{h.vic, "/api/profiles/mine", http.StatusForbidden, ""},
		{h.vic, "/api/settings/secrets/MINE", http.StatusForbidden, ""},
	} {
		if a := c.who.want(c.status, c.who.reading("plaintext", c.path)); !strings.Contains(a.body, c.has) {
			t.Errorf("%s lacks %q: %.600s", c.path, c.has, a.body)
		}
	}
	if !slices.ContainsFunc(b.ben.wire.all(), func(e *entry) bool { return e.reveals() && slices.Contains(b.holds(e.text()), secret) }) {
		t.Error("a revealed secret is not found among the answers, so that its absence elsewhere would prove nothing")
	}
	db, err := sql.Open("postgres", b.server.database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	got := strings.Join(column(t, db, `
		SELECT actor || ' ' || action || ' ' || object
		FROM audit_log
		WHERE team_id = $1 AND action LIKE 'vault.%.reveal'
		ORDER BY at, action`, h.team), "\n")
	want := strings.Join([]string{
		h.ben.email + " vault.llm_profile.reveal mine", h.ben.email + " vault.secret.reveal MINE", h.ada.email + " vault.settings.reveal ",
	}, "\n")
	if got != want {
		t.Errorf("on record is\n%s\nwant\n%s", got, want)
	}
}

func lookups(t *testing.T, b *bank) {
	c := b.cleo.as(t, "")
	value, plain := b.plant(b.cleo), b.plant(b.cleo)
	c.want(http.StatusOK, c.json("PUT", "/api/settings/secrets", map[string]any{"name": "SAVED_ONE", "value": value}))
	lookup := func(address string) map[string]any {
		return map[string]any{"kind": "LookupSecret", "url": address, "headers": map[string]any{"X-Session-API-Key": "cookie"}}
	}
	body := talkWith(map[string]any{}, inspects("RELATIVE", "ABSOLUTE", "PLAIN", "SAVED_ONE"))
	body["secrets"] = map[string]any{
		"RELATIVE": lookup("/api/settings/secrets/SAVED_ONE"), "ABSOLUTE": lookup(c.base + "/api/settings/secrets/SAVED_ONE"),
		"PLAIN": map[string]any{"kind": "StaticSecret", "value": plain}, "NONE": lookup("/api/settings/secrets/NOT_THERE"),
	}
	id := c.starts(body)
	c.holds(id, map[string]string{"RELATIVE": value, "ABSOLUTE": value, "PLAIN": plain})
	c.want(http.StatusOK, c.post("/api/conversations/"+id+"/secrets", map[string]any{"secrets": map[string]any{"LATER": lookup("/api/settings/secrets/SAVED_ONE")}}))
	c.want(http.StatusOK, c.post("/api/conversations/"+id+"/events", map[string]any{
		"role": "user", "content": said(strings.ReplaceAll(inspects("LATER"), "inspected", "again"))["content"], "run": true}))
	readUntil(t, c.socket("/sockets/events/"+id+"?resend_mode=all"), "again-42")
	c.finished(id)
	c.holds(id, map[string]string{"RELATIVE": value, "ABSOLUTE": value, "PLAIN": plain, "LATER": value})

	for _, address := range []string{
		b.thief.url + "/api/settings/secrets/SAVED_ONE", "http://169.254.169.254/latest", b.upstream.URL() + "/api/settings/secrets/SAVED_ONE",
		"/api/settings", "/api/settings/secrets/SAVED_ONE/../X", "/api/profiles/x", "//127.0.0.1/api/settings/secrets/SAVED_ONE",
		"file:///api/settings/secrets/SAVED_ONE", strings.Replace(c.base, "://", "://a:b@", 1) + "/api/settings/secrets/SAVED_ONE",
	} {
		body["secrets"] = map[string]any{"X": lookup(address)}
		c.want(http.StatusUnprocessableEntity, c.post("/api/conversations", body))
		c.want(http.StatusUnprocessableEntity, c.post("/api/conversations/"+id+"/secrets", map[string]any{"secrets": body["secrets"]}))
	}
}

func profiles(t *testing.T, b *bank) {
	h := b.newHouse(t, "Profiles")
	first, second, header := b.plant(b.ben), b.plant(b.ben), b.plant(b.ben)
	one, two := b.plant(b.ben), b.plant(b.ben)
	modelled := func(name, key string) map[string]any {
		m := b.provider.model(key)
		m["model"] = "openai/" + name
		return map[string]any{"llm": m}
	}
	h.ben.want(http.StatusCreated, h.ben.post("/api/profiles/first", modelled("scripted-first", first)))
	h.ben.want(http.StatusCreated, h.ben.post("/api/profiles/second", modelled("scripted-second", second)))
	for name, value := range map[string]string{"ONE": one, "TWO": two} {
		h.ben.want(http.StatusOK, h.ben.json("PUT", "/api/settings/secrets", map[string]any{"name": name, "value": value}))
	}
	for _, name := range []string{"named", "unnamed"} {
		h.ben.want(http.StatusCreated, h.ben.post("/api/settings/mcp/"+name, map[string]any{
			"url": b.provider.tools() + "?" + name, "headers": map[string]any{"Authorization": "Bearer " + header}}))
	}
	h.ben.want(http.StatusCreated, h.ben.post("/api/agent-profiles/helper", map[string]any{
		"llm_profile_ref": "first", "mcp_server_refs": []any{"named"}, "secret_refs": []any{"ONE"},
		"system_message_suffix": "Speak like a pirate.", "disabled_skills": []any{"not-this-one"},
	}))
	var profile struct{ Profile struct{ ID string } }
	h.ben.want(http.StatusOK, h.ben.get("/api/agent-profiles/helper")).json(t, &profile)

	body := newTalk()
	delete(body, "agent_settings")
	body["agent_profile_id"], body["initial_message"] = profile.Profile.ID, said(inspects("ONE", "TWO"))
	body["secrets"] = map[string]any{} // as the page does: all that there are
	for _, name := range []string{"ONE", "TWO"} {
		body["secrets"].(map[string]any)[name] = map[string]any{"kind": "LookupSecret", "url": "/api/settings/secrets/" + name}
	}
	id := h.ben.starts(body)
	b.provider.ranWith(t, id, first)
	b.provider.sawTools(t, header)
	h.ben.holds(id, map[string]string{"ONE": one})
	for _, k := range b.provider.knocks() {
		if strings.Contains(k.all, "?unnamed") {
			t.Errorf("a server that the profile does not name was called: %s", k.all)
		}
	}
	agent := b.agentAtUpstream(t, id)
	if agent.LLM.Model != "openai/scripted-first" || agent.Context.Suffix != "Speak like a pirate." ||
		len(agent.Context.Disabled) != 1 || len(agent.Servers) != 1 || agent.Servers["named"] == nil {
		t.Errorf("the upstream has %+v", agent)
	}

	h.ben.want(http.StatusOK, h.ben.post("/api/conversations/"+id+"/switch_profile", map[string]any{"profile_name": "second"}))
	if model := b.agentAtUpstream(t, id).LLM.Model; model != "openai/scripted-second" {
		t.Errorf("after the switch the upstream has the model %q", model)
	}
	h.ben.want(http.StatusOK, h.ben.post("/api/conversations/"+id+"/events", map[string]any{"role": "user", "content": said("say: on")["content"], "run": true}))
	b.provider.sawWith(t, id, second)
	h.ben.want(http.StatusNotFound, h.ben.post("/api/conversations/"+id+"/switch_profile", map[string]any{"profile_name": "third"}))
	body["agent_profile_id"] = "00000000-0000-4000-8000-000000000000"
	h.ben.want(http.StatusNotFound, h.ben.post("/api/conversations", body))
}

// upstreamAgent is an agent as the upstream has it.
type upstreamAgent struct {
	LLM     struct{ Model string } `json:"llm"`
	Servers map[string]any         `json:"mcp_config"`
	Context struct {
		Suffix   string `json:"system_message_suffix"`
		Disabled []any  `json:"disabled_skills"`
	} `json:"agent_context"`
}

// agentAtUpstream asks the upstream itself.
func (b *bank) agentAtUpstream(t *testing.T, id string) (agent upstreamAgent) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", b.upstream.URL()+"/api/conversations/"+id, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Session-API-Key", b.upstream.Key())
	a, err := do(r)
	if err != nil {
		t.Fatal(err)
	}
	var info struct{ Agent json.RawMessage }
	a.json(t, &info)
	if err := json.Unmarshal(info.Agent, &agent); err != nil {
		t.Fatalf("the agent is %s: %v", info.Agent, err)
	}
	return agent
}

// teamsSecretByToken gives a Developer's conversation a secret of the team's by what its name is answered with.
func teamsSecretByToken(t *testing.T, b *bank) {
	h := b.newHouse(t, "By token")
	value := b.plant(b.ada)
	h.ada.want(http.StatusOK, h.ada.with(h.keep, "PUT", "/api/settings/secrets", map[string]any{"name": "SHARED", "value": value}))
	token := h.ben.want(http.StatusOK, h.ben.get("/api/settings/secrets/SHARED")).body
	body := talkWith(map[string]any{"llm": b.provider.model(b.plant(b.ben))}, inspects("FIRST", "SHARED"))
	body["secrets"] = map[string]any{"FIRST": map[string]any{"kind": "StaticSecret", "value": token}}
	id := h.ben.starts(body)
	h.ben.holds(id, map[string]string{"FIRST": value})
	h.ben.want(http.StatusOK, h.ben.post("/api/conversations/"+id+"/secrets", map[string]any{"secrets": map[string]any{"LATER": token}}))
	elsewhere := b.cleo.as(t, "").starts(talkWith(map[string]any{}, "say: hello"))
	b.cleo.as(t, "").want(http.StatusUnprocessableEntity, b.cleo.as(t, "").post("/api/conversations/"+elsewhere+"/secrets", map[string]any{"secrets": map[string]any{"LATER": token}}))
}
