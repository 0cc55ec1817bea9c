package settings_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
)

const picker = "/api/workspaces"

func TestWorkspacesOfTheTeamAndOnesOwnAreListedTogether(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	root := "/srv/ws/teams/" + s.team.String()
	item := func(name string) string {
		return fmt.Sprintf(`{"id":"%[1]s/%[2]s","name":"%[2]s","path":"%[1]s/%[2]s"}`, root, name)
	}
	s.ask("dev", "GET", picker, nil).is(http.StatusOK).equals(`{"workspaces":[],"workspaceParents":[]}`)
	s.ask("team ada", "POST", picker, `{"workspaces":[`+item("house")+`]}`).is(http.StatusOK).equals(`{"workspaces":[` + item("house") + `],"workspaceParents":[]}`)
	own := strings.TrimSuffix(item("own"), "}") + `,"parentPath":"` + root + `"}`
	s.ask("dev", "POST", picker, `{"workspaces":[`+own+`,`+own+`,`+item("house")+`,`+strings.TrimSuffix(item("null"), "}")+`,"parentPath":null,"more":1}]}`).
		is(http.StatusOK).equals(`{"workspaces":[` + item("house") + `,` + own + `,` + item("null") + `],"workspaceParents":[]}`)
	s.ask("dev", "POST", picker, `{"workspaces":[{"id":"other","name":"other","path":"`+root+`/own/"}]}`).is(http.StatusOK).
		equals(`{"workspaces":[` + item("house") + `,` + own + `,` + item("null") + `],"workspaceParents":[]}`)
	s.ask("dev", "POST", picker+"/parents", `{"parents":[`+item("p")+`]}`).is(http.StatusOK).
		equals(`{"workspaces":[` + item("house") + `,` + own + `,` + item("null") + `],"workspaceParents":[` + item("p") + `]}`)
	s.ask("ada", "GET", picker, nil).is(http.StatusOK).equals(`{"workspaces":[` + item("house") + `],"workspaceParents":[]}`)
	s.ask("team ada", "GET", picker, nil).is(http.StatusOK).equals(`{"workspaces":[` + item("house") + `],"workspaceParents":[]}`)
	s.ask("eve", "GET", picker, nil).is(http.StatusOK).equals(`{"workspaces":[],"workspaceParents":[]}`)
	s.ask("view", "POST", picker, `{"workspaces":[`+own+`]}`).is(http.StatusForbidden)
	s.ask("team dev", "GET", picker, nil).is(http.StatusForbidden)

	at := func(name string) string { return "?path=" + url.QueryEscape(root+"/"+name) }
	s.ask("dev", "DELETE", picker+at("house"), nil).is(http.StatusForbidden)
	s.ask("dev", "DELETE", picker+at("p"), nil).says(http.StatusNotFound, "Workspace not found")
	s.ask("dev", "DELETE", picker+"/parents"+at("own"), nil).says(http.StatusNotFound, "Workspace parent not found")
	s.ask("dev", "DELETE", picker+at("own"), nil).is(http.StatusOK).equals(`{"deleted":true}`)
	s.ask("dev", "DELETE", picker+"/parents"+at("p"), nil).is(http.StatusOK).equals(`{"deleted":true}`)
	s.ask("dev", "GET", picker, nil).is(http.StatusOK).equals(`{"workspaces":[` + item("house") + `,` + item("null") + `],"workspaceParents":[]}`)
	if got := s.ask("dev", "DELETE", picker, nil).faults(); len(got) != 1 || got[0] != `missing at ["query","path"]` {
		t.Errorf("no path: %v", got)
	}
}

func TestAWorkspaceLiesInItsTeamsFolder(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	root := "/srv/ws/teams/" + s.team.String()
	for _, p := range []string{
		"/", "/etc", "/srv/ws", "/srv/ws/teams", root + "x", root + "/../" + s.foes.String(), root + "/a/./b", root + "//a", root + "/a//", "relative",
		"/srv/ws/teams/" + s.foes.String() + "/a", root + "/a\x00b", "//srv/ws/teams/" + s.team.String(), strings.ToUpper(root),
	} {
		for place, body := range map[string]map[string]any{
			`["body","workspaces",0,"path"]`:       {"workspaces": []any{map[string]any{"id": "i", "name": "n", "path": p}}},
			`["body","workspaces",0,"parentPath"]`: {"workspaces": []any{map[string]any{"id": "i", "name": "n", "path": root, "parentPath": p}}},
			`["body","parents",0,"path"]`:          {"parents": []any{map[string]any{"id": "i", "name": "n", "path": p}}},
		} {
			at := picker
			if body["parents"] != nil {
				at += "/parents"
			}
			if got := s.ask("dev", "POST", at, body).faults(); len(got) != 1 || got[0] != "value_error at "+place {
				t.Errorf("%q as %s: %v", p, place, got)
			}
		}
	}
	for body, want := range map[string]string{
		`{}`:                `missing at ["body","workspaces"]`,
		`{"workspaces":{}}`: `list_type at ["body","workspaces"]`,
		`{"workspaces":[{"id":"","name":"n","path":"` + root + `"}]}`: `string_too_short at ["body","workspaces",0,"id"]`,
	} {
		if got := s.ask("dev", "POST", picker, body).faults(); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %v", body, got)
		}
	}
	var many []any
	for i := range 201 {
		many = append(many, map[string]any{"id": "i", "name": "n", "path": fmt.Sprint(root, "/", i)})
	}
	s.ask("dev", "POST", picker, map[string]any{"workspaces": many}).says(http.StatusConflict, "Workspace limit reached (200). Remove one before adding another.")
	s.ask("dev", "POST", picker, map[string]any{"workspaces": many[1:]}).is(http.StatusOK)
	s.ask("dev", "POST", picker, map[string]any{"workspaces": many[:1]}).is(http.StatusConflict)
}
