package app_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/app"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

func TestPathsOfATeamsSettingsAreThoseOfTheTable(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/api/teams/T/settings":                         "T /api/settings",
		"/api/teams/T/settings/":                        "T /api/settings",
		"/api/teams/T/settings/mcp/a":                   "T /api/settings/mcp/a",
		"/api/teams/T/secrets":                          "T /api/settings/secrets",
		"/api/teams/T/secrets/":                         "T /api/settings/secrets",
		"/api/teams/T/secrets/A":                        "T /api/settings/secrets/A",
		"/api/teams/T/secrets/A/":                       "T /api/settings/secrets/A",
		"/api/teams/T/profiles/a/rename":                "T /api/profiles/a/rename",
		"/api/teams/T/profiles/%C3%A4%20b":              "T /api/profiles/%C3%A4%20b",
		"/api/teams/T/agent-profiles/x/materialize":     "T /api/agent-profiles/x/materialize",
		"/api/teams/T/provider-connections/c":           "T /api/llm/provider-connections/c",
		"/api/teams/T/workspaces":                       "T /api/workspaces",
		"/api/teams/T/workspaces/parents":               "T /api/workspaces/parents",
		"/api/teams/%20/settings":                       "%20 /api/settings",
		"/api/teams/settings/settings":                  "settings /api/settings",
		"/api/teams":                                    "",
		"/api/teams/":                                   "",
		"/api/teams/settings":                           "",
		"/api/teams/settings/":                          "",
		"/api/teams/T":                                  "",
		"/api/teams/T/":                                 "",
		"/api/teams/T/switch":                           "",
		"/api/teams/T/members":                          "",
		"/api/teams/T/Settings":                         "",
		"/api/teams/T/settingsx":                        "",
		"/api/teams/T/settings/x":                       "",
		"/api/teams/T/settings/agent-schema":            "",
		"/api/teams/T/settings/secrets":                 "",
		"/api/teams/T/settings/mcp":                     "",
		"/api/teams/T/settings/mcp/":                    "",
		"/api/teams/T/secretsx":                         "",
		"/api/teams/T/workspaces/x":                     "",
		"/api/teams/T/workspaces/parents/x":             "",
		"/api/teams/T/conversations":                    "",
		"/api/teams/T/x/settings":                       "",
		"/api/settings":                                 "",
		"/x/api/teams/T/settings":                       "",
		"/API/teams/T/settings":                         "",
		"/api/teamsters/T/settings":                     "",
		"/api/teams/T%2Fsettings":                       "",
		"/api/teams/T/settings%2Fmcp":                   "",
		"/api/teams/T/provider-connections-of-somebody": "",
	} {
		team, path2, ok := app.Scoped(path)
		if got := strings.TrimSpace(team + " " + path2); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v, want %q", path, got, ok, want)
		}
	}
}

// Each path is one's: a route of ours that stood in the proxy's part would never be reached.
func TestNoRouteOfOursLiesWhereATeamsSettingsAre(t *testing.T) {
	t.Parallel()
	paths := newSite(t).app.OwnRoutes()
	if !slices.Contains(paths, "/api/teams/:team_id/members") {
		t.Fatalf("the routes are %q", paths)
	}
	for _, path := range paths {
		if _, _, ok := app.Scoped(path); ok {
			t.Errorf("%s is never reached", path)
		}
	}
}

func TestEveryOperationOnATeamsSettingsIsARowOfTheTableAndListed(t *testing.T) {
	t.Parallel()
	file, err := os.Open("testdata/operations-team.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	listed := map[string]bool{}
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		method, path, _ := strings.Cut(scanner.Text(), " ")
		if method == "#" {
			continue
		}
		team, inner, ok := app.Scoped(path)
		if !ok || team != "{team_id}" {
			t.Errorf("%s is not the proxy's", path)
		}
		listed[method+" "+inner] = true
	}
	for _, o := range agentserver.Routes() {
		for _, surface := range []string{"/api/settings", "/api/profiles", "/api/agent-profiles", "/api/llm/provider-connections", "/api/workspaces"} {
			if o.Path != surface && !strings.HasPrefix(o.Path, surface+"/") || strings.HasSuffix(o.Path, "-schema") {
				continue
			}
			if name := o.Method + " " + o.Path; !listed[name] {
				t.Errorf("%s has no operation of a team", name)
			} else {
				delete(listed, name)
			}
		}
	}
	if len(listed) > 0 {
		t.Errorf("no row stands behind %v", listed)
	}
}

// team is a team with its Owner and a Developer.
type team struct{ id, owner, developer, stranger string }

// newTeam makes one; all are told by their header.
func newTeam(t *testing.T, s *site) team {
	t.Helper()
	signedIn := func(name string) string {
		email := s.register(name + "@example.com")
		res := s.do("POST", "/api/auth/jwt/login", "username="+email+"&password="+password, formType)
		return "Authorization: Bearer " + member(t, res.body, "access_token")
	}
	it := team{owner: signedIn("ada"), developer: signedIn("dev"), stranger: signedIn("eve")}
	it.id = member(t, s.do("POST", "/api/teams/", `{"name":"Engines"}`, it.owner, jsonType).body, "id")
	if res := s.do("POST", "/api/teams/"+it.id+"/members", `{"email":"dev@example.com","role":"developer"}`, it.owner, jsonType); res.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", res.StatusCode, res.body)
	}
	return it
}

func member(t *testing.T, body, name string) string {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(body), &object); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	text, _ := object[name].(string)
	return text
}

const keepersOnly = `{"detail":"Only Admins and Owners may see and change what belongs to the team."}`

func TestATeamsSettingsAreForThoseWhoKeepThem(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	it := newTeam(t, s)
	empty := `{"secrets":[]}`
	for _, id := range []string{it.id, strings.ToUpper(it.id), strings.ReplaceAll(it.id, "-", "")} {
		path := "/api/teams/" + id + "/secrets"
		s.do("GET", path, "", it.owner).want(t, "the Owner", http.StatusOK, empty)
		s.do("GET", path+"/", "", it.owner).want(t, "the Owner, with a slash", http.StatusOK, empty)
		s.do("GET", path, "", it.developer).want(t, "a Developer", http.StatusForbidden, keepersOnly)
		s.do("GET", path, "", it.stranger).want(t, "a stranger", http.StatusNotFound, notFound)
		s.do("GET", path, "").want(t, "nobody", http.StatusUnauthorized, `{"detail":"Unauthorized"}`)
		s.do("GET", path, "", "Accept: text/html", "Sec-Fetch-Mode: navigate").want(t, "nobody, by a browser", http.StatusUnauthorized, `{"detail":"Unauthorized"}`)
		s.do("DELETE", path+"/NAME", "", it.developer).want(t, "a Developer who deletes", http.StatusForbidden, keepersOnly)
		s.do("DELETE", path+"/NAME", "", it.owner).want(t, "what is not there", http.StatusNotFound, `{"detail":"Secret not found"}`)
	}
	for _, id := range []string{uuid.NewString(), uuid.Nil.String(), "nonsense", it.id + "0", "settings"} {
		s.do("GET", "/api/teams/"+id+"/secrets", "", it.owner).want(t, id, http.StatusNotFound, notFound)
		s.do("GET", "/api/teams/"+id+"/secrets", "").want(t, id+", nobody", http.StatusUnauthorized, `{"detail":"Unauthorized"}`)
	}
}

func TestOnlyThePathSaysWhoseSettingsAreMeant(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	it := newTeam(t, s)
	personal := s.do("GET", "/api/teams/", "", it.owner).Header.Get("X-Team-Id")
	path := "/api/teams/" + it.id + "/secrets"
	for _, more := range [][]string{
		{"X-OpenHands-Scope: own"}, {"X-OpenHands-Scope: nonsense"}, {"X-Openhands-Scope: "}, {"X-Team-Id: " + personal}, {"X-Team-Id: nonsense"},
		{"X-Team-Id: "}, {"X-Team-Id: " + uuid.NewString(), "X-OpenHands-Scope: own"}, {"x_team_id: " + personal, "x_openhands_scope: own"},
	} {
		s.do("GET", path, "", append(more, it.owner)...).want(t, strings.Join(more, ", "), http.StatusOK, `{"secrets":[]}`)
		s.do("GET", path, "", append(more, it.developer)...).want(t, strings.Join(more, ", ")+" (Developer)", http.StatusForbidden, keepersOnly)
		s.do("GET", path, "", append(more, it.stranger)...).want(t, strings.Join(more, ", ")+" (stranger)", http.StatusNotFound, notFound)
	}
	for _, more := range []string{"X-Forwarded-Uri: /api/settings/secrets", "X-Original-Url: /api/settings/secrets", "X-Http-Method-Override: PUT"} {
		s.do("GET", path, "", more, it.developer).want(t, more, http.StatusForbidden, keepersOnly)
	}
}

// The spellings by which a rewriting front and what stands behind it have been set against each other.
func TestNoOtherSpellingLeadsToATeamsSettings(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	it := newTeam(t, s)
	base := "/api/teams/" + it.id
	for target, status := range map[string]int{
		base + "//secrets": 400, base + "/./secrets": 400, base + "/x/../secrets": 400, base + "%2Fsecrets": 400, base + "/%73ecrets": 400,
		base + "/secrets%2F": 400, base + "/secrets;x": 400, base + "/secrets/%2e%2e": 400, base + "/secrets/..": 400, base + "\\secrets": 400,
		"//api/teams/" + it.id + "/secrets": 400, "/x/.." + base + "/secrets": 400, "/api/%74eams/" + it.id + "/secrets": 400,
		base + "/secrets%23": 400, base + "/secrets%3Bx": 400, base + "/profiles/a%23b": 400, base + "/secrets?a=%zz": 400, base + "/secrets#x": 400,
		"http://other.example" + base + "/secrets": 400, base + "/secrets/%00": 400, base + "/secrets//": 400, base + "/secrets/%C0%AF": 400,
		"/API/teams/" + it.id + "/secrets": 404, base + "/Secrets": 404, base + "/secrets%20": 404, base + "/secretſ": 400,
		base + "/settings/secrets": 404, base + "/settings/agent-schema": 404, base + "/workspaces/x": 404, base + "/profiles/a/b/c": 404,
		base + "/conversations/search": 404, base + "/settings/mcp": 404, base + "/profiles/a/../../../settings": 400,
	} {
		got := s.dial().send("GET " + target + " HTTP/1.1\r\nHost: x\r\n" + it.owner + "\r\nConnection: close\r\n\r\n").next()
		if got.StatusCode != status {
			t.Errorf("%s: %d %s, want %d", target, got.StatusCode, got.body, status)
		}
	}
}

func TestAnotherSitesPageCannotChangeATeamsSettings(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	it := newTeam(t, s)
	form := "email=ada@example.com&password=" + strings.ReplaceAll(password, " ", "+")
	cookies := s.do("POST", "/account/login", form, formType).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%v", cookies)
	}
	cookie := "Cookie: " + cookies[0].Name + "=" + cookies[0].Value
	path := "/api/teams/" + it.id + "/secrets/NAME"
	s.do("DELETE", path, "", cookie, "Origin: https://evil.example").want(t, "another site", http.StatusForbidden, otherSite)
	s.do("DELETE", path, "", cookie, "Sec-Fetch-Site: cross-site").want(t, "another site, fetching", http.StatusForbidden, otherSite)
	s.do("DELETE", path, "", cookie, "Sec-Fetch-Site: same-origin").want(t, "our page", http.StatusNotFound, `{"detail":"Secret not found"}`)
}
