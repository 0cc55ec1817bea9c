package e2e_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestAnAgentThatPrintsTheKeyShowsNobodyTheKey only makes the agent print it, in every form; that no byte which any client
// ever receives holds it is checked for the whole run by the relays in front of all instances (TestMain).
func TestAnAgentThatPrintsTheKeyShowsNobodyTheKey(t *testing.T) {
	t.Parallel()
	user := signedUp(t, shared(t).url)
	key := world.upstream.Key()
	half := len(key) / 2
	id := user.create(strings.Join([]string{
		printsKey(),
		// The part is not exported; the last count shows that a copy in the environment would be counted.
		"run: part=$(" + decode(key[:half]) + "); echo env=$(env | grep -cF $part) proc=$(cat /proc/self/environ | grep -acF $part)" +
			" parent=$(cat /proc/$PPID/environ | grep -acF $part) control=$(COPY=$part env | grep -cF $part)",
	}, "\n"))
	stars := strings.Repeat("*", len(key))
	readUntil(t, user.socket("/sockets/events/"+id+"?resend_mode=all"), stars+" split")
	user.finished(id)

	history := user.events(id)
	for _, form := range []string{stars + " whole", stars + " split"} {
		if !strings.Contains(history, form) {
			t.Errorf("the history lacks %q", form)
		}
	}
	for _, path := range []string{"/workspace/key.txt", "/file/download?path=" + user.workingDir(id) + "/key.txt"} {
		file := user.want(http.StatusOK, user.get("/api/conversations/"+id+path))
		if file.body != stars {
			t.Errorf("%s is %q, want the key masked", path, file.body)
		}
	}
	if !strings.Contains(history, "env=0 proc=0 parent=0 control=1") {
		t.Errorf("an agent's terminal holds the key of the upstream in its environment, or was not asked: %.6000s", history)
	}
}

// printsKey is a script that makes the agent print the key: whole, split over two writes, into a file, and as an error. The
// message carries the key encoded, so that the only clear copies are those that the agent's commands print.
func printsKey() string {
	key := world.upstream.Key()
	half := len(key) / 2
	return strings.Join([]string{
		"run: " + decode(key) + "; echo ' whole'",
		"run: " + decode(key[:half]) + "; sleep 0.3; " + decode(key[half:]) + "; echo ' split'",
		"run: " + decode(key) + " > key.txt; " + decode(key) + " 1>&2; echo ' file'",
	}, "\n")
}

// decode is a shell command that prints text without naming it.
func decode(text string) string {
	return fmt.Sprintf("echo %s | base64 -d", base64.StdEncoding.EncodeToString([]byte(text)))
}

// workingDir is the folder a conversation works in.
func (c *client) workingDir(id string) string {
	c.t.Helper()
	var info struct {
		Workspace struct {
			Dir string `json:"working_dir"`
		} `json:"workspace"`
	}
	c.want(http.StatusOK, c.get("/api/conversations/"+id)).json(c.t, &info)
	return info.Workspace.Dir
}

func TestNobodyIsShownTheOperatorsKey(t *testing.T) {
	t.Parallel()
	user := signedUp(t, shared(t).url)
	for _, expose := range []string{"", "encrypted", "true", "plaintext", "PLAINTEXT"} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", user.base+"/api/settings", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+user.token)
		if expose != "" {
			r.Header.Set("X-Expose-Secrets", expose)
		}
		a, err := do(r)
		if err != nil {
			t.Fatal(err)
		}
		user.want(http.StatusOK, a)
		if strings.Contains(a.body, world.llm.Key()) || strings.Contains(a.body, "gAAAA") {
			t.Errorf("expose %q shows a secret: %s", expose, a.body)
		}
		if !strings.Contains(a.body, `"llm_api_key_is_set":true`) {
			t.Errorf("expose %q does not say that a key is set", expose)
		}
	}
}
