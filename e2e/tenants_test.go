package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"
)

// tenant is a user with two teams who works through a tap. Whatever is theirs carries a mark that nothing else does.
type tenant struct {
	*client
	wire    *tap
	mark    string
	teams   []string
	talks   []talk // the first is the parent of the second, and what the third was forked from
	events  []string
	strange string // a child of the first of which only the upstream knows
}

func newTenant(t *testing.T, name string) *tenant {
	t.Helper()
	wire := newTap(t, shared(t).url)
	p := &tenant{client: signedUp(t, wire.url), wire: wire, mark: name + uuid.NewString()[:8]}
	shop := p.field(p.want(http.StatusCreated, p.post("/api/teams/", map[string]any{"name": p.mark + " shop"})), "id")
	p.teams = []string{teamOfOnesOwn(p.client), shop}
	return p
}

// teamOfOnesOwn is the team that came with the account.
func teamOfOnesOwn(c *client) string {
	c.t.Helper()
	var teams []struct {
		ID       string `json:"id"`
		Personal bool   `json:"is_personal"`
	}
	c.want(http.StatusOK, c.get("/api/teams/")).json(c.t, &teams)
	for _, team := range teams {
		if team.Personal {
			return team.ID
		}
	}
	c.t.Fatalf("no personal team in %v", teams)
	return ""
}

// TestTwoTenantsAtWorkReceiveNothingOfEachOther has both do the same things at the same time, and ask for what the other has.
// All that either is sent is kept and then searched: for the other's marks, ids and folders, and for any id that both know.
func TestTwoTenantsAtWorkReceiveNothingOfEachOther(t *testing.T) {
	t.Parallel()
	tenants := []*tenant{newTenant(t, "amber"), newTenant(t, "birch")}
	both := func(act func(p, other *tenant)) {
		var done sync.WaitGroup // parallel sub-tests would wait for a place, one after the other
		for i, p := range tenants {
			done.Go(func() { act(p, tenants[1-i]) })
		}
		if done.Wait(); t.Failed() {
			t.FailNow()
		}
	}
	both(func(p, _ *tenant) { p.settle() })
	for range 2 {
		both(func(p, other *tenant) {
			p.work()
			p.pry(other)
		})
	}
	for i, p := range tenants {
		p.receivedNothingOf(tenants[1-i])
	}
}

// settle makes conversations of every sort: one with files, a child, a fork, one in another team.
func (p *tenant) settle() {
	first := p.create(strings.Join([]string{
		"run: git init -q . && git config user.email a@example.com && git config user.name A && mkdir -p sub && echo " + p.mark + "-content > sub/" + p.mark +
			".txt && git add . && git commit -qm " + p.mark + "-commit; echo more >> sub/" + p.mark + ".txt",
		"run: echo " + p.mark + "-printed",
	}, "\n"))
	p.finished(first)
	body := newTalk()
	body["parent_conversation_id"], body["workspace"] = first, map[string]any{"working_dir": p.workingDir(first)}
	child := p.field(p.want(http.StatusCreated, p.post("/api/conversations", body)), "id")
	fork := p.field(p.want(http.StatusCreated, p.post("/api/conversations/"+first+"/fork", map[string]any{"title": p.mark + " fork"})), "id")
	shop := p.inTeam(p.teams[1]).create("run: echo " + p.mark + "-shop")
	p.finished(shop)
	for _, id := range []string{first, child, fork, shop} {
		p.want(http.StatusOK, p.json("PATCH", "/api/conversations/"+id, map[string]any{"title": p.mark + " title"}))
		p.talks = append(p.talks, talk{id, p.workingDir(id)})
	}
	var page struct{ Items []struct{ ID string } }
	p.want(http.StatusOK, p.get("/api/conversations/"+first+"/events/search?limit=100")).json(p.t, &page)
	for _, event := range page.Items {
		p.events = append(p.events, event.ID)
	}
	p.strange = childAt(p.t, p.talks[0])
}

// childAt makes a child of a conversation behind our back: it is nobody's.
func childAt(t *testing.T, parent talk) string {
	t.Helper()
	body := newTalk()
	body["agent_settings"] = map[string]any{"llm": map[string]any{"model": world.llm.Model(), "base_url": world.llm.URL(), "api_key": world.llm.Key()}}
	body["parent_conversation_id"], body["workspace"] = parent.id, map[string]any{"working_dir": parent.dir}
	r, err := http.NewRequestWithContext(t.Context(), "POST", world.upstream.URL()+"/api/conversations", jsonBody(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Session-API-Key", world.upstream.Key())
	a, err := do(r)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, "")
	return c.field(c.want(http.StatusCreated, a), "id")
}

// work is a day of a tenant: everything that answers with something of theirs.
func (p *tenant) work() {
	p.t.Helper()
	first, fork := p.talks[0], p.talks[2]
	for _, way := range p.ways() {
		if a := p.get(way); a.status != http.StatusOK {
			p.t.Errorf("GET %s answers %d: %.300s", way, a.status, a.body)
		}
	}
	for _, team := range p.teams {
		in := p.inTeam(team)
		for _, order := range []string{"CREATED_AT", "CREATED_AT_DESC", "UPDATED_AT", "UPDATED_AT_DESC"} {
			for next := "start"; next != ""; {
				next = in.turn("/api/conversations/search?limit=2&sort_order="+order, next)
			}
		}
		in.want(http.StatusOK, in.get("/api/conversations/count"))
	}
	p.want(http.StatusOK, p.send("POST", "/api/file/upload?path="+first.dir+"/sub/brought.txt", strings.NewReader(strings.ReplaceAll(upload, "\r\n\r\nnew", "\r\n\r\n"+p.mark+"-brought")), asForm))
	p.want(http.StatusOK, p.get("/api/file/download?path="+first.dir+"/sub/brought.txt"))
	p.want(http.StatusOK, p.post("/api/skills", map[string]any{"load_project": true, "project_dir": first.dir}))
	p.want(http.StatusOK, p.json("GET", "/api/conversations/"+first.id+"/events", p.events[:1]))
	p.want(http.StatusNoContent, p.post("/api/auth/workspace-session", nil))
	for _, editor := range []string{"/api/vscode/url", "/api/conversations/" + first.id + "/vscode/url"} {
		p.want(http.StatusForbidden, p.get(editor))
	}

	for _, kind := range []string{"events", "session"} {
		socket := p.socket("/sockets/" + kind + "/" + fork.id + "?resend_mode=all")
		said := p.mark + "-" + uuid.NewString()[:4]
		frame, _ := json.Marshal(map[string]any{"role": "user", "run": true, "content": []any{map[string]any{"type": "text", "text": "run: echo " + said + "-$((6*7))"}}})
		if kind == "events" {
			if err := socket.Write(p.t.Context(), websocket.MessageText, frame); err != nil {
				p.t.Fatal(err)
			}
			readUntil(p.t, socket, said+"-42")
			continue
		}
		readUntil(p.t, socket, p.mark)
	}
	p.finished(fork.id)
}

// ways are paths that answer with something of the tenant's.
func (p *tenant) ways() []string {
	first := p.talks[0]
	own := "/api/conversations/" + first.id
	ways := []string{
		"/server_info", "/api/settings", "/api/tools/", "/api/profiles", "/api/workspaces", "/api/file/home", "/api/auth/users/me", "/api/teams/",
		own + "/events/count", own + "/events/search?limit=100", own + "/agent_final_response",
		own + "/events/" + p.events[0],
		own + "/workspace/sub/" + p.mark + ".txt",
		own + "/file/download?path=" + first.dir + "/sub/" + p.mark + ".txt",
		own + "/git/changes?path=" + first.dir,
		own + "/git/diff?path=" + first.dir + "/sub/" + p.mark + ".txt",
		"/api/git/commits?path=" + first.dir,
		"/api/file/download-trajectory/" + first.id,
		"/api/file/archive?path=" + first.dir + "/sub",
	}
	batch := url.Values{}
	for _, t := range p.talks {
		ways = append(ways, "/api/conversations/"+t.id)
		batch.Add("ids", t.id)
	}
	return append(ways, "/api/conversations?"+batch.Encode())
}

// turn reads the next page of a list and returns the cursor of the one after it.
func (c *client) turn(list, cursor string) string {
	c.t.Helper()
	if cursor != "start" {
		list += "&page_id=" + url.QueryEscape(cursor)
	}
	var page struct {
		Next *string `json:"next_page_id"`
	}
	c.want(http.StatusOK, c.get(list)).json(c.t, &page)
	if page.Next == nil {
		return ""
	}
	return *page.Next
}

// pry asks for what the other has, in every way in which the other asks for it.
func (p *tenant) pry(other *tenant) {
	p.t.Helper()
	general := p.ways()[:8]
	for _, way := range other.ways() {
		if slices.Contains(general, way) {
			continue
		}
		if a := p.get(way); a.status != http.StatusNotFound && !strings.HasPrefix(way, "/api/conversations?") {
			p.t.Errorf("GET %s answers %d: %.200s", way, a.status, a.body)
		}
	}
	batch := url.Values{"ids": {p.talks[0].id, other.talks[0].id, other.strange, p.strange, other.talks[3].id, p.talks[3].id}}
	var found []*struct{ ID string }
	p.want(http.StatusOK, p.get("/api/conversations?"+batch.Encode())).json(p.t, &found)
	if len(found) != 6 || found[0] == nil || found[5] == nil || found[1] != nil || found[2] != nil || found[3] != nil || found[4] != nil {
		p.t.Errorf("the batch of own and foreign ids is %v", found)
	}
	target, own := other.talks[0], "/api/conversations/"+p.talks[0].id
	for _, way := range []string{
		own + "/events/" + other.events[0],
		own + "/file/download?path=" + target.dir + "/sub/" + other.mark + ".txt",
		own + "/git/changes?path=" + target.dir,
		own + "/workspace/..%2f" + path.Base(target.dir) + "/sub/" + other.mark + ".txt",
		"/api/file/download?path=" + target.dir + "/../" + path.Base(target.dir) + "/sub/" + other.mark + ".txt",
	} {
		if a := p.get(way); a.status < 400 {
			p.t.Errorf("GET %s answers %d: %.200s", way, a.status, a.body)
		}
	}
	p.json("GET", own+"/events", other.events[:1])
	p.post("/api/skills", map[string]any{"load_project": true, "project_dir": target.dir})
	p.post("/api/hooks", map[string]any{"project_dir": target.dir})
	p.want(http.StatusNotFound, p.post("/api/conversations/"+target.id+"/fork", map[string]any{"title": "mine"}))
	p.want(http.StatusNotFound, p.inTeam(other.teams[1]).get("/api/conversations/search"))
	body := newTalk()
	body["conversation_id"] = target.id
	p.want(http.StatusConflict, p.post("/api/conversations", body))
	for _, kind := range []string{"events", "session"} {
		_ = closeCode(p.t, p.socket("/sockets/"+kind+"/"+target.id+"?resend_mode=all"), 5*time.Second)
	}
}

// receivedNothingOf judges all that the tenant was sent.
func (p *tenant) receivedNothingOf(other *tenant) {
	p.t.Helper()
	got := p.wire.delivered()
	for _, mark := range p.marks() {
		if !strings.Contains(got, mark) {
			p.t.Errorf("what %s was sent lacks %q of their own, so that its absence elsewhere proves nothing", p.mark, mark)
		}
	}
	who := reader{teams: p.teams, foreign: append(other.marks(), other.strange, p.strange)}
	for _, leak := range who.leaks(got) {
		p.t.Errorf("%s was sent %s", p.mark, leak)
	}
	theirs := idsIn(other.wire.delivered())
	for _, id := range idsIn(got) {
		if _, alike := slices.BinarySearch(theirs, id); alike {
			at := strings.Index(got, id)
			p.t.Errorf("both were sent the id %s: …%.300q", id, got[max(0, at-200):])
		}
	}
	p.t.Logf("%s: %d answers, %d bytes, %d ids", p.mark, len(p.wire.seen()), len(got), len(idsIn(got)))
}

// marks are what only the tenant may be sent.
func (p *tenant) marks() []string {
	all := append([]string{p.mark, p.email, p.mark + "-content", p.mark + "-brought", p.mark + " title"}, p.teams...)
	for _, t := range p.talks {
		all = append(all, t.id)
	}
	return append(all, p.events...)
}

var someID = regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)

// idsIn are the ids in a text, each once, in order.
func idsIn(text string) []string {
	ids := someID.FindAllString(text, -1)
	slices.Sort(ids)
	return slices.Compact(ids)
}
