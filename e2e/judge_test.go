package e2e_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// rewritten are the operations that the product asks in the place of another: of the upstream's choice, what it may ask.
var rewritten = map[string][]string{
	"GET /api/conversations/search":                       {"GET /api/conversations"},
	"GET /api/conversations/count":                        {"GET /api/conversations"},
	"POST /api/conversations":                             {"GET /api/conversations/{conversation_id}"},
	"GET /api/file/home":                                  {"POST /api/file/create_directory"},
	"GET /api/file/download":                              {"GET /api/conversations/{runtime_conversation_id}/file/download"},
	"GET /api/file/archive":                               {"GET /api/conversations/{runtime_conversation_id}/file/archive"},
	"POST /api/file/upload":                               {"POST /api/conversations/{runtime_conversation_id}/file/upload"},
	"POST /api/file/create_directory":                     {"POST /api/conversations/{runtime_conversation_id}/file/create_directory"},
	"GET /api/git/changes":                                {"GET /api/conversations/{runtime_conversation_id}/git/changes"},
	"GET /api/git/diff":                                   {"GET /api/conversations/{runtime_conversation_id}/git/diff"},
	"GET /api/git/commits":                                {"GET /api/conversations/{runtime_conversation_id}/git/commits"},
	"GET /api/git/commits/{sha}/changes":                  {"GET /api/conversations/{runtime_conversation_id}/git/commits/{sha}/changes"},
	"POST /api/bash/execute_bash_command":                 {"POST /api/conversations/{runtime_conversation_id}/bash/execute_bash_command"},
	"POST /api/bash/start_bash_command":                   {"POST /api/conversations/{runtime_conversation_id}/bash/start_bash_command"},
	"GET /api/file/download-trajectory/{conversation_id}": {"GET /api/conversations/{runtime_conversation_id}/file/download-trajectory/{conversation_id}"},
}

// judgePassed compares what reached the upstream with what the upstream would have made of the caller's own words.
func (d *differential) judgePassed(t *testing.T, what, column string, own, passed verdict) {
	t.Helper()
	switch {
	case own.Operation == "" && own.status == http.StatusMethodNotAllowed && passed.same(own):
		return // an operation that only a container has: refused there as it would be without us
	case own.Operation == "":
		t.Errorf("%s: to the upstream it is %v, but %v was asked", what, own, passed)
	case slices.Contains(rewritten[own.Operation], passed.Operation):
		if path, asked := own.query()["path"], passed.query()["path"]; len(path) > 0 && path[len(path)-1] != asked[len(asked)-1] {
			t.Errorf("%s: the upstream would take the path %q, and was asked for %q", what, path, asked)
		}
	case own.Operation == "GET /api/conversations" && passed.Operation == own.Operation: // its ids are written anew
	case looksUp(passed, own), looksAround(passed, own):
	case !own.same(passed):
		t.Errorf("%s: to the upstream it is %v, but %v was asked", what, own, passed)
	}
	if !passed.plain() {
		t.Errorf("%s: %v was asked by %q, of which the product cannot have known that it is that", what, passed, passed.target)
	}
	if !d.mayReach(own.Operation, column) {
		t.Errorf("%s: to the upstream it is %v, of which it must see nothing", what, own)
	}
}

// looksUp says whether asked searches for an event that own asks for, as the product does first. Those of a batch stand in its body.
func looksUp(asked, own verdict) bool {
	const events = "GET /api/conversations/{conversation_id}/events"
	query := asked.query()
	event := query["page_id"]
	if own.Operation == events+"/{event_id}" {
		event = []string{own.Parameters["event_id"]}
	}
	return (own.Operation == events || own.Operation == events+"/{event_id}") && asked.Operation == events+"/search" &&
		asked.Parameters["conversation_id"] == own.Parameters["conversation_id"] && len(event) == 1 &&
		maps.EqualFunc(query, map[string][]string{"limit": {"1"}, "page_id": event}, slices.Equal)
}

// looksAround says whether asked is for a list of folders, by which the product finds out whether a path of own is a link.
func looksAround(asked, own verdict) bool {
	paths := []string{
		"POST /api/conversations", "GET /api/file/search_subdirs", "POST /api/file/create_directory",
		"POST /api/skills", "POST /api/hooks", "POST /api/plugins", "POST /api/sub-agents",
	}
	query := asked.query()
	return asked.Operation == "GET /api/file/search_subdirs" && slices.Contains(paths, own.Operation) &&
		slices.Equal(query["limit"], []string{"100"}) && slices.Equal(query["include_hidden"], []string{"true"}) && len(query["path"]) == 1
}

// mayReach says whether people expect the upstream to see something of an operation. What is said of further ways to ask it
// counts only where no conversation is named.
func (d *differential) mayReach(operation, column string) bool {
	for key, row := range d.expected {
		way, variant := strings.CutPrefix(key, operation+" #")
		if key == operation || variant && way != "" && !strings.Contains(operation, "conversation_id}") {
			if row[column].seen {
				return true
			}
		}
	}
	return false
}

// judge looks at what the product answered by itself: success only where it is expected.
func (d *differential) judge(t *testing.T, what, column string, own verdict, got answer) {
	t.Helper()
	if got.status >= 300 || strings.HasPrefix(got.header.Get("Content-Type"), "text/html") || got.status == http.StatusSwitchingProtocols {
		return // refused, or one of our pages
	}
	if want := d.expected[own.Operation][column]; !strings.HasPrefix(want.status, "2") {
		t.Errorf("%s: the product answers %d, to the upstream it is %v, where %s is expected: %.200s", what, got.status, own, want, got.body)
	}
}

// plain says whether the target spells out what the operation's path spells out: by that the product tells operations apart.
func (v verdict) plain() bool {
	_, template, _ := strings.Cut(v.Operation, " ")
	path, _, _ := strings.Cut(v.target, "?")
	words, given := strings.Split(template, "/"), strings.Split(path, "/")
	for i, word := range words {
		if i >= len(given) || !strings.HasPrefix(word, "{") && word != given[i] {
			return false
		}
	}
	return true
}
