package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const document = `{"info": {"version": "9.8.7"}, "paths": {
	"/b": {"post": {}, "get": {}, "parameters": [], "summary": "two"},
	"/a/{id}": {"delete": {}}}}`

func TestTheListHoldsWhatIsPublishedAndWhatIsHiddenByPath(t *testing.T) {
	t.Parallel()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/openapi.json" {
			http.NotFound(w, r)
		}
		_, _ = w.Write([]byte(document))
	}))
	defer upstream.Close()
	dir := t.TempDir()
	hidden := filepath.Join(dir, "hidden.txt")
	if err := os.WriteFile(hidden, []byte("# why\nWS /a/live\n\nPUT /b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), hidden, dir, upstream.URL); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "operations-9.8.7.txt"))
	want := "# Every operation of agent-server 9.8.7, made by `make upstream-operations`.\nWS /a/live\nDELETE /a/{id}\nGET /b\nPOST /b\nPUT /b\n"
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestWhatIsPublishedIsNotHidden(t *testing.T) {
	t.Parallel()
	for _, hidden := range []string{"GET /b", "WS /c\nWS /c"} {
		if _, _, err := merge([]byte(document), hidden); err == nil || !strings.Contains(err.Error(), "take the line out") {
			t.Errorf("%q: %v", hidden, err)
		}
	}
}

func TestWhatIsNoListOfOperationsIsRefused(t *testing.T) {
	t.Parallel()
	for _, document := range []string{"", "<html>", "{}", `{"info": {"version": "1"}, "paths": {}}`, `{"paths": {"/a": {"get": {}}}}`} {
		if _, _, err := merge([]byte(document), ""); err == nil {
			t.Errorf("%q was taken for a list", document)
		}
	}
}
