package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// matrix is two teams on one instance, and everybody who may come and ask.
type matrix struct {
	expected map[string]map[string]cell
	requests []matrixRequest

	server   *instance
	upstream *recorder
	owner    *client // of the team that is asked about, acting for it
	shown    exhibit // what strangers and Viewers ask about
	callers  []*caller
	naming   *caller // a stranger who names the team
	nobody   *caller // whoever comes without a credential, once anonymous mode is on
}

// exhibit is a conversation with all that can be found in it.
type exhibit struct {
	id, dir, title, file, content, sha, event, events, command string
}

// marks are what only who sees the conversation may be shown.
func (e exhibit) marks() []string {
	return []string{e.id, strings.ReplaceAll(e.id, "-", ""), e.dir, e.title, e.content, e.file, e.sha, e.event, e.command}
}

// caller is one kind of caller.
type caller struct {
	column, label string
	client        *client
	user          string  // the id under which the upstream is asked; "" for strangers
	about         exhibit // of the team
	mine          exhibit // started by the caller, where they may
	theirs        exhibit // of a team that is not the caller's
	team          string  // the team that is asked about
	theirTeam     string  // one that is not the caller's
	foreign       []string
}

func (c *caller) name() string {
	if c.label != "" {
		return c.label
	}
	return c.column
}

func newMatrix(t *testing.T, expected map[string]map[string]cell, requests []matrixRequest) *matrix {
	t.Helper()
	m := &matrix{expected: expected, requests: requests, upstream: record(t)}
	m.server = start(t, map[string]string{"UPSTREAM_URL": m.upstream.url})
	founder := signedUp(t, m.server.url)
	team := founder.field(founder.want(http.StatusCreated, founder.post("/api/teams/", map[string]any{"name": "Team " + uuid.NewString()})), "id")
	m.owner = founder.inTeam(team)
	member := func(role string) *client {
		c := signedUp(t, m.server.url)
		founder.want(http.StatusCreated, founder.post("/api/teams/"+team+"/members", map[string]any{"email": c.email, "role": "viewer"}))
		m.server.change(t, `UPDATE team_members SET role = $1 WHERE team_id = $2 AND user_id = $3`, role, team, c.userID())
		return c.inTeam(team)
	}
	other, super := signedUp(t, m.server.url), signedUp(t, m.server.url)
	m.callers = []*caller{
		{column: "none", client: newClient(t, m.server.url)},
		{column: "other", client: other},
		{column: "viewer", client: member("viewer")},
		{column: "developer", client: member("developer")},
		{column: "admin", client: member("admin")},
		{column: "owner", client: member("owner")},
		{column: "superuser", client: super},
		{column: "expired", label: "expired session", client: member("owner")},
		{column: "expired", label: "expired token", client: member("owner")},
		{column: "suspended", client: member("owner")},
		{column: "key-read", client: member("owner")},
		{column: "key-write", client: member("owner")},
		{column: "key-bound", client: member("owner").inTeam("")},
		{column: "service", client: robot(t, m.owner, team)},
		{column: "entered", client: entrant(t, m.server, team)},
		{column: "expired", label: "expired key", client: member("owner")},
		{column: "expired", label: "revoked key", client: member("owner")},
	}
	m.furnish(t, team, other)
	m.spoil(t)
	return m
}

// robot is a service account of the team, with a key as it is made when nobody says more.
func robot(t *testing.T, owner *client, team string) *client {
	t.Helper()
	path := "/api/teams/" + team + "/service-accounts"
	account := owner.field(owner.want(http.StatusCreated, owner.post(path, map[string]any{"name": "robot", "role": "developer"})), "id")
	c := newClient(t, owner.base)
	c.email = "service-" + account + "@service.invalid"
	c.token = owner.field(owner.want(http.StatusCreated, owner.post(path+"/"+account+"/keys", map[string]any{"name": "robot"})), "key")
	return c
}

// entrant is a superuser who entered the team, and is no member.
func entrant(t *testing.T, server *instance, team string) *client {
	t.Helper()
	c := signedUp(t, server.url)
	server.command(t, "user", "grant-admin", c.email)
	c.want(http.StatusCreated, c.post("/api/admin/teams/"+team+"/enter", map[string]any{"reason": "the matrix of all callers"}))
	return c.inTeam(team)
}

// furnish makes what is asked about. All but the strangers' and the Viewer's conversations are there to be destroyed.
func (m *matrix) furnish(t *testing.T, team string, other *client) {
	t.Helper()
	var theirs exhibit
	var all sync.WaitGroup
	all.Go(func() { m.shown = furnished(t, m.owner) })
	all.Go(func() { theirs = furnished(t, other) })
	for _, c := range m.callers {
		if c.column == "service" {
			c.user = strings.TrimSuffix(strings.TrimPrefix(c.client.email, "service-"), "@service.invalid")
		} else {
			c.user = c.client.userID()
		}
		switch c.column {
		case "developer", "admin", "owner", "key-write", "service", "entered":
			all.Go(func() { c.about, c.mine = furnished(t, m.owner), exhibit{id: c.client.create("")} })
		case "superuser", "key-bound":
			all.Go(func() { c.mine = exhibit{id: c.client.create("")} })
		}
	}
	all.Wait()
	shared := sharedByAll(t, m.shown)
	kept := keptByTeam(m.owner, team)
	ours := append(m.shown.marks(), team, m.owner.email, kept)
	for _, c := range m.callers {
		switch c.column {
		case "viewer", "developer", "admin", "owner", "key-read", "key-write", "service", "entered":
			c.theirs, c.foreign = theirs, append(theirs.marks(), other.email)
			if c.column != "admin" && c.column != "owner" && c.column != "entered" {
				c.foreign = append(c.foreign, kept)
			}
			c.warm(t)
		case "other":
			c.mine, c.theirs, c.foreign = theirs, m.shown, ours
			c.warm(t)
		default:
			c.theirs, c.foreign = m.shown, slices.Concat(ours, theirs.marks(), []string{other.email})
		}
		if c.about.id == "" {
			c.about = m.shown
		}
		if c.mine.id == "" {
			c.mine = m.shown
		}
		if c.column == "superuser" || c.column == "key-bound" {
			c.warm(t)
		}
	}
	personal := other.want(http.StatusOK, other.get("/api/teams/")).header.Get("X-Team-Id")
	for _, c := range m.callers {
		c.foreign = append(slices.Clone(c.foreign), shared...)
		c.team, c.theirTeam = team, team
		if c.client.team == team || c.column == "service" {
			c.theirTeam = personal
		}
	}
	m.naming = &caller{
		column: "other", label: "naming", client: other.inTeam(team), user: "", about: m.shown, mine: m.shown, theirs: m.shown, team: team, theirTeam: team,
	}
	m.nobody = &caller{
		column: "anonymous", client: newClient(t, m.server.url), user: "anonymous", team: team, theirTeam: team,
		about: m.shown, mine: m.shown, theirs: m.shown, foreign: slices.Concat(ours, theirs.marks(), []string{other.email}, shared),
	}
}

// sharedByAll puts something where the upstream keeps things once for all, under the name that everybody asks for, so that
// there, too, 404 means hidden. It returns what nobody may be shown of it.
func sharedByAll(t *testing.T, e exhibit) []string {
	t.Helper()
	mark := "seeded" + e.title
	asUpstream(t, "PUT", "/api/settings/secrets", map[string]any{"name": "sample", "value": mark + "-value", "description": mark})
	asUpstream(t, "POST", "/api/profiles/sample", map[string]any{"llm": map[string]any{"model": "openai/" + mark}})
	asUpstream(t, "POST", "/api/workspaces", map[string]any{"workspaces": []any{map[string]any{"id": "/" + mark, "name": mark, "path": e.dir}}})
	return []string{mark}
}

// keptByTeam is the value of a secret of the team's, which its agents may use and only those who keep it may see.
func keptByTeam(owner *client, team string) string {
	owner.t.Helper()
	value := "kept" + strings.ReplaceAll(uuid.NewString(), "-", "")
	owner.want(http.StatusOK, owner.json("PUT", "/api/teams/"+team+"/secrets", map[string]any{"name": "of_the_team", "value": value}))
	return value
}

// spoil takes from some what makes them callers, before their tokens are used for the first time, and gives others a key in the
// place of their session.
func (m *matrix) spoil(t *testing.T) {
	t.Helper()
	for _, c := range m.callers {
		switch c.name() {
		case "key-read":
			c.client.token = c.key(map[string]any{"scopes": []string{"read"}})
		case "key-write":
			c.client.token = c.key(map[string]any{"scopes": []string{"write"}})
		case "key-bound":
			own := c.client.want(http.StatusOK, c.client.get("/api/teams/")).header.Get("X-Team-Id")
			c.client.token = c.key(map[string]any{"scopes": []string{"admin"}, "team_id": own})
		case "expired key":
			c.client.token = c.key(map[string]any{"scopes": []string{"admin"}})
			m.server.change(t, `UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE user_id = $1`, c.user)
		case "revoked key":
			c.client.token = c.revokedKey()
		case "superuser":
			m.server.change(t, `UPDATE users SET is_superuser = true WHERE id = $1`, c.user)
		case "expired session":
			m.server.change(t, `UPDATE sessions SET expires_at = now() - interval '1 second' WHERE user_id = $1`, c.user)
		case "expired token":
			c.client.token = aged(t, c.client.token)
		case "suspended":
			m.server.change(t, `UPDATE users SET is_active = false WHERE id = $1`, c.user)
		}
	}
}

// key is a new API key of the caller's.
func (c *caller) key(what map[string]any) string {
	what["name"] = "matrix"
	return c.client.field(c.client.want(http.StatusCreated, c.client.post("/api/keys", what)), "key")
}

// revokedKey is one that worked, so that it is remembered.
func (c *caller) revokedKey() string {
	session := *c.client
	made := session.want(http.StatusCreated, session.post("/api/keys", map[string]any{"name": "matrix", "scopes": []string{"admin"}}))
	c.client.token = session.field(made, "key")
	c.client.want(http.StatusOK, c.client.get("/api/conversations/search"))
	session.want(http.StatusOK, session.json("DELETE", "/api/keys/"+session.field(made, "id"), nil))
	return c.client.token
}

// furnished is a new conversation of the client's team: its agent has made a file and a commit.
func furnished(t *testing.T, c *client) exhibit {
	t.Helper()
	name := strings.ReplaceAll(uuid.NewString(), "-", "")
	e := exhibit{title: "title" + name[:12], file: "file" + name[8:20] + ".txt", content: "content" + name[16:]}
	e.id = c.create("run: echo " + e.content + " > " + e.file + " && cp " + e.file + " index.html && git add -A && git -c user.name=a -c user.email=a@example.com commit -qm first && git status")
	c.finished(e.id)
	path := "/api/conversations/" + e.id
	c.want(http.StatusOK, c.json("PATCH", path, map[string]any{"title": e.title}))
	e.dir = c.workingDir(e.id)
	e.events = c.want(http.StatusOK, c.get(path+"/events/count")).body
	e.event = first(t, `"id":"([^"]+)"[^{}]*"source":"user"|"source":"user"[^{}]*"id":"([^"]+)"`, c.events(e.id))
	e.command = c.field(c.want(http.StatusOK, c.post(path+"/bash/execute_bash_command", map[string]any{"command": "cat " + e.file})), "id")
	e.sha = first(t, `"(?:sha|hash|commit)":"([0-9a-f]{7,40})"`, c.want(http.StatusOK, c.get(path+"/git/commits?path="+e.dir)).body)
	return e
}

func first(t *testing.T, pattern, text string) string {
	t.Helper()
	groups := regexp.MustCompile(pattern).FindStringSubmatch(text)
	for i := 1; i < len(groups); i++ {
		if groups[i] != "" {
			return groups[i]
		}
	}
	t.Fatalf("nothing is like %s in %.3000s", pattern, text)
	return ""
}

// aged is the same token, genuine and over.
func aged(t *testing.T, token string) string {
	t.Helper()
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
		t.Fatal(err)
	}
	claims["exp"] = time.Now().Add(-time.Second).Unix()
	old, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(signingSecret))
	if err != nil {
		t.Fatal(err)
	}
	return old
}

// userID is read from the token, so that the product learns nothing of it.
func (c *client) userID() string {
	c.t.Helper()
	if c.token == "" {
		return ""
	}
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(c.token, claims); err != nil {
		c.t.Fatal(err)
	}
	id, _ := claims.GetSubject()
	return id
}

// warm asks what makes the product ask the upstream once and never again.
func (c *caller) warm(t *testing.T) {
	t.Helper()
	c.client.want(http.StatusOK, c.client.get("/api/file/home"))
	c.client.want(http.StatusOK, c.client.get("/api/settings"))
}

// found is what came of one case.
type found struct {
	cell cell
	text string   // all that the client received
	seen []string // what the upstream saw
}

var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)

// fill puts the caller's values for the placeholders.
func (c *caller) fill(text string) string {
	values := map[string]string{
		"{id}": c.about.id, "{dir}": c.about.dir, "{title}": c.about.title, "{file}": c.about.file, "{file_path}": c.about.file,
		"{event}": c.about.event, "{event_id}": c.about.event, "{sha}": c.about.sha, "{command}": c.about.command, "{mine}": c.mine.id,
		"{theirs}": c.theirs.id, "{theirdir}": c.theirs.dir, "{theirfile}": c.theirs.file,
		"{conversation_id}": c.about.id, "{runtime_conversation_id}": c.about.id,
		"{team_id}": c.team, "{theirteam}": c.theirTeam, "{caller}": c.column,
		"{hex}": strings.ToUpper(strings.ReplaceAll(c.about.id, "-", "")),
	}
	return placeholder.ReplaceAllStringFunc(text, func(name string) string {
		if value, known := values[name]; known {
			return value
		}
		return "sample" // the name of something that is not there
	})
}

// ask sends one case and sees what comes of it. A caller asks one thing at a time.
func (c *caller) ask(t *testing.T, upstream *recorder, line matrixRequest) found {
	t.Helper()
	before := len(upstream.of(c.user, c.name()))
	var f found
	if line.method == "WS" {
		f = c.askSocket(t, line)
	} else {
		f = c.askHTTP(t, line)
	}
	f.seen = upstream.of(c.user, c.name())[before:]
	f.cell.seen = len(f.seen) > 0
	return f
}

func (c *caller) header() http.Header {
	h := http.Header{markedBy: {c.name()}}
	if c.client.token != "" {
		h.Set("Authorization", "Bearer "+c.client.token)
	}
	if c.client.team != "" {
		h.Set("X-Team-Id", c.client.team)
	}
	return h
}

func (c *caller) askHTTP(t *testing.T, line matrixRequest) found {
	t.Helper()
	body := c.fill(line.body)
	kind := "application/json"
	if body == "@upload" {
		body, kind = upload, asForm
	}
	r, err := http.NewRequestWithContext(t.Context(), line.method, c.client.base+c.fill(line.path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = c.header()
	if body != "" {
		r.Header.Set("Content-Type", kind)
	}
	a, err := do(r)
	if err != nil {
		t.Errorf("%s: %v", line.key, err)
	}
	return found{cell: cell{status: fmt.Sprint(a.status)}, text: fmt.Sprintf("%d %v\n%s", a.status, a.header, a.body)}
}

// askSocket opens a WebSocket as OpenHands' clients do, with the placeholder for a key in the first frame, and takes the first
// message for the answer.
func (c *caller) askSocket(t *testing.T, line matrixRequest) found {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, response, err := websocket.Dial(ctx, c.client.base+c.fill(line.path), &websocket.DialOptions{HTTPHeader: c.header()})
	if err != nil {
		if response == nil {
			t.Errorf("%s: %v", line.key, err)
			return found{}
		}
		return found{cell: cell{status: fmt.Sprint(response.StatusCode)}, text: fmt.Sprint(response.Header)}
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(64 << 20)
	_ = conn.Write(ctx, websocket.MessageText, []byte(`{"type":"auth","session_api_key":"cookie"}`))
	_, message, err := conn.Read(ctx)
	if err != nil {
		return found{cell: cell{status: fmt.Sprint(int(websocket.CloseStatus(err)))}, text: err.Error()}
	}
	return found{cell: cell{status: "open"}, text: string(message)}
}
