package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// sharedTeam is a team of several people with one conversation, in whose folder there is something to see.
type sharedTeam struct {
	owner *client // with the team as current one
	id    string
	talk  string
}

func newSharedTeam(t *testing.T) *sharedTeam {
	t.Helper()
	owner := signedUp(t, shared(t).url)
	a := owner.want(http.StatusCreated, owner.post("/api/teams/", map[string]any{"name": "Research"}))
	s := &sharedTeam{id: owner.field(a, "id")}
	s.owner = owner.inTeam(s.id)
	s.talk = s.owner.create(strings.Join([]string{
		"run: git init -q . && git config user.email a@example.com && git config user.name A && echo one > notes.txt && git add . && git commit -qm start; echo two >> notes.txt",
		"run: echo \"<h1>A page of preview-$((6*7))</h1>\" > page.html; echo first-$((20+3))",
	}, "\n"))
	s.owner.finished(s.talk)
	return s
}

// join makes a new user a member of the team.
func (s *sharedTeam) join(t *testing.T, role string) *client {
	t.Helper()
	c := signedUp(t, s.owner.base)
	s.owner.want(http.StatusCreated, s.owner.post("/api/teams/"+s.id+"/members", map[string]any{"email": c.email, "role": role}))
	return c
}

// signIn signs an existing user in on the page for that, which leads into Canvas.
func signIn(base string, c *client) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(
		chromedp.Navigate(base+"/"),
		chromedp.WaitVisible(passBox),
		chromedp.SendKeys(emailBox, c.email),
		chromedp.SendKeys(passBox, password),
		chromedp.Submit(passBox),
		chromedp.WaitVisible(home),
	)
}

// press clicks the last thing on the page that the selector finds, as soon as there is one: also one that only shows itself
// under the mouse.
func (b *browser) press(selector string) {
	b.t.Helper()
	within(b.t, 20*time.Second, "the page has "+selector, func() error {
		if !script[bool](b, fmt.Sprintf(`(() => { const e = [...document.querySelectorAll(%q)].pop(); e?.click(); return !!e; })()`, selector)) {
			return fmt.Errorf("it shows %.1500s", b.text())
		}
		return nil
	})
}

// named selects by the name that Canvas gives to a thing for its own tests.
func named(id string) string { return `[data-testid="` + id + `"]` }

// rename gives the open conversation another name in the header.
func (b *browser) rename(title string) {
	b.t.Helper()
	b.press(named("conversation-name") + " " + named("ellipsis-button"))
	b.press(named("rename-button"))
	b.press(named("conversation-name-input"))
	script[string](b, `document.querySelector('[data-testid="conversation-name-input"]').select() ?? ""`)
	b.do("renamed", chromedp.KeyEvent(title+"\r"))
}

// delete deletes the open conversation by the menu in the header.
func (b *browser) delete() {
	b.t.Helper()
	b.press(named("conversation-name") + " " + named("ellipsis-button"))
	b.press(named("delete-button"))
	b.find("button", "Confirm Delete")
	b.do("asked before deletion")
	b.click(b.find("button", "Confirm Delete"))
}

// attach puts a file with the text to the next message.
func (b *browser) attach(name, text string) {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.do("attached", chromedp.SetUploadFiles(chromedp.CSS(named("upload-image-input")), []string{file}))
	b.sees(name)
}

// answered waits until a request that ends in the path was answered with the status.
func (p *tap) answered(t *testing.T, method, path string, status int) {
	t.Helper()
	within(t, 30*time.Second, fmt.Sprintf("%s …%s is answered with %d", method, path, status), func() error {
		calls := p.seen()
		for _, c := range calls {
			if c.method == method && strings.HasSuffix(c.path, path) && c.status == status {
				return nil
			}
		}
		return errors.New("it was not among\n" + table(tally(slices.DeleteFunc(calls, func(c call) bool { return c.method != method }))))
	})
}

// watched is for how long an open page is looked at that nobody touches, and calm is how many calls it may make then: in all,
// and of one sort. Canvas asks for its lists and for its health every 30 seconds, for the state of git every 10.
const (
	watched  = 15 * time.Second
	calm     = 24
	calmEach = 6
)

// staysCalm watches the page and fails when it storms the instance.
func (b *browser) staysCalm(wire *tap) {
	b.t.Helper()
	before := len(wire.seen())
	select {
	case <-b.t.Context().Done():
	case <-time.After(watched):
	}
	calls := wire.seen()[before:]
	counts := tally(calls)
	b.t.Logf("within %s:\n%s", watched, table(counts))
	if len(calls) > calm {
		b.t.Errorf("%d calls within %s, want at most %d", len(calls), watched, calm)
	}
	for c, n := range counts {
		if n > calmEach {
			b.t.Errorf("%d times %s within %s, want at most %d", n, c, watched, calmEach)
		}
	}
}

// showsFiles opens the tab with the files of the workspace, and one of them.
func (b *browser) showsFiles(wire *tap, base string) {
	b.t.Helper()
	b.press(named("conversation-tab-files"))
	b.press(named("file-tree-file-page.html"))
	b.do("files", chromedp.WaitVisible(chromedp.CSS(named("files-tab-content")+" iframe")))
	b.content()
	wire.answered(b.t, "GET", base+"/workspace/page.html", http.StatusOK)
	b.do("preview in Canvas")
}

// showsChanges opens the tab with the changes of the workspace, and one of them. Canvas takes the editor in which it shows a
// difference from a third party's server, which the page's policy refuses: the list is there, and the editor stays away.
func (b *browser) showsChanges(wire *tap) {
	b.t.Helper()
	b.press(named("conversation-tab-commits"))
	b.sees("Uncommitted")
	b.press(named("uncommitted-changes-row-toggle"))
	b.sees("notes.txt")
	b.press(named("file-diff-viewer-outer") + " " + named("collapse"))
	wire.answered(b.t, "GET", "/api/git/diff", http.StatusOK)
	b.pardon("https://cdn.jsdelivr.net/npm/monaco-editor@")
	b.do("diff")
	b.content()
}

// pardon forgets a refusal that is on purpose.
func (b *browser) pardon(address string) {
	b.t.Helper()
	within(b.t, 20*time.Second, "the page's policy refuses "+address, func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		before := len(b.refused)
		b.refused = slices.DeleteFunc(b.refused, func(text string) bool { return strings.Contains(text, address) })
		if len(b.refused) == before {
			return errors.New("it did not")
		}
		return nil
	})
}

// showsPage opens a page out of the workspace as a tab of its own does.
func (b *browser) showsPage(address string) {
	b.t.Helper()
	b.do("preview", chromedp.Navigate(address))
	b.sees("A page of preview-42")
}

func TestADeveloperWorksInCanvasOnAConversationOfTheTeam(t *testing.T) {
	t.Parallel()
	team := newSharedTeam(t)
	developer := team.join(t, "developer")
	own := developer.create("say: one of my own")
	developer.finished(own)
	developer.want(http.StatusOK, developer.json("PATCH", "/api/conversations/"+own, map[string]any{"title": "Of my own"}))
	wire := newTap(t, team.owner.base)
	b := newBrowser(t, "developer")
	talk := "/api/conversations/" + team.talk

	b.do("signed in", signIn(wire.url, developer))
	b.sees("Of my own")
	b.do("list")
	b.content()
	b.do("opened", chromedp.Navigate(wire.url+"/conversations/"+team.talk), chromedp.WaitVisible(chatBox))
	b.sees("first-23")
	b.do("history")
	b.content()
	globals := script[string](b, `JSON.stringify(Object.keys(window).filter(k => k.startsWith("__AGENT_CANVAS")).sort().map(k => [k, window[k]]))`)
	if want := `[["__AGENT_CANVAS_DO_NOT_TRACK__",true],["__AGENT_CANVAS_SESSION_API_KEY__","cookie"]]`; globals != want {
		t.Errorf("the page's globals are %s, want %s", globals, want)
	}
	if cookies := script[string](b, `document.cookie`); cookies != "" {
		t.Errorf("a script of the page reads the cookies %q", cookies)
	}
	b.showsFiles(wire, talk)
	b.showsChanges(wire)
	b.do("written", send("run: echo second-$((40+2))"))
	b.sees("second-42")
	b.content()
	b.staysCalm(wire)

	b.attach("brought.txt", "brought-77\n")
	b.do("uploaded", send("run: cat brought.txt"))
	b.sees("brought-77")
	b.do("upload answered")
	b.content()
	wire.answered(t, "POST", "/api/file/upload", http.StatusOK)

	b.press(`button[aria-label="Branch from here"]`)
	wire.answered(t, "POST", talk+"/fork", http.StatusCreated)
	b.sees("(branch)")
	b.do("forked")
	b.content()
	fork := script[string](b, `location.pathname.split("/").pop()`)
	if fork == team.talk {
		t.Fatal("the page did not go to the fork")
	}
	b.rename("Renamed by the developer")
	within(t, 20*time.Second, "the fork has its new name", func() error {
		if title := team.owner.field(team.owner.get("/api/conversations/"+fork), "title"); title != "Renamed by the developer" {
			return fmt.Errorf("it is %q", title)
		}
		return nil
	})
	b.sees("Renamed by the developer")
	b.content()
	b.delete()
	wire.answered(t, "DELETE", "/api/conversations/"+fork, http.StatusOK)
	within(t, 20*time.Second, "the page leaves what is deleted", func() error {
		if at := script[string](b, `location.pathname`); strings.Contains(at, fork) {
			return errors.New("it is at " + at)
		}
		return nil
	})
	b.do("deleted", chromedp.WaitVisible(chatBox))
	b.content()
	team.owner.want(http.StatusNotFound, team.owner.get("/api/conversations/"+fork))
	team.owner.want(http.StatusOK, team.owner.get(talk))
	b.showsPage(wire.url + talk + "/workspace/page.html")
}

// viewersBanner is what Canvas shows to a Viewer who wrote.
const viewersBanner = "Your role in this team may read this conversation, but not write to it: the message was not sent."

func TestAViewerReadsInCanvasAndChangesNothing(t *testing.T) {
	t.Parallel()
	team := newSharedTeam(t)
	viewer := team.join(t, "viewer")
	wire := newTap(t, team.owner.base)
	b := newBrowser(t, "viewer")
	talk := "/api/conversations/" + team.talk
	open := chromedp.Steps(chromedp.Navigate(wire.url+"/conversations/"+team.talk), chromedp.WaitVisible(chatBox))

	b.do("signed in", signIn(wire.url, viewer))
	b.do("opened", open)
	b.sees("first-23")
	b.do("history")
	b.content()
	b.showsFiles(wire, talk)
	b.showsChanges(wire)
	b.staysCalm(wire)

	b.do("typed", send("run: echo intruder-$((30+3))"))
	b.sees(viewersBanner)
	b.do("told why not")
	b.staysCalm(wire)
	b.press(named("error-message-banner-dismiss"))
	b.do("told and closed", open)
	b.sees("first-23")
	b.content()

	b.attach("brought.txt", "intruder-file\n")
	b.do("upload tried", send("run: cat brought.txt"))
	wire.answered(t, "POST", "/api/file/upload", http.StatusForbidden)
	b.do("upload refused", chromedp.WaitVisible(chatBox))
	b.do("again", open)
	b.sees("first-23")
	b.press(`button[aria-label="Branch from here"]`)
	wire.answered(t, "POST", talk+"/fork", http.StatusForbidden)
	b.do("fork refused", chromedp.WaitVisible(chatBox))
	b.rename("Renamed by an intruder")
	wire.answered(t, "PATCH", talk, http.StatusForbidden)
	b.do("name refused")
	b.delete()
	wire.answered(t, "DELETE", talk, http.StatusForbidden)
	b.do("deletion refused")
	b.do("still usable", open)
	b.sees("first-23")
	b.content()
	b.staysCalm(wire)

	info := team.owner.want(http.StatusOK, team.owner.get(talk))
	if title := team.owner.field(info, "title"); strings.Contains(title, "intruder") {
		t.Errorf("the title is %q", title)
	}
	if history := team.owner.events(team.talk); strings.Contains(history, "intruder") || strings.Contains(history, "brought.txt") {
		t.Error("a message of the Viewer's is in the history")
	}
	team.owner.want(http.StatusNotFound, team.owner.get(talk+"/workspace/brought.txt"))
	for _, r := range world.llm.Requests() {
		if strings.Contains(string(r.Body), "intruder-$") {
			t.Error("a message of the Viewer's reached the model")
		}
	}
	b.showsPage(wire.url + talk + "/workspace/page.html")
}
