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

// sharedTitle is the name of the shared team's conversation.
const sharedTitle = "The talk of all"

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
		"run: git init -q . && git checkout -q -b branch-$((8*9)); git config user.email a@example.com && git config user.name A && echo one > notes.txt && git add . && git commit -qm start; echo two >> notes.txt",
		"run: echo \"<h1>A page of preview-$((6*7))</h1>\" > page.html; echo first-$((20+3))",
	}, "\n"))
	s.owner.finished(s.talk)
	owner.want(http.StatusOK, owner.json("PATCH", "/api/conversations/"+s.talk, map[string]any{"title": sharedTitle}))
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

// calm is how many calls an open page that nobody touches may make, in all and of one sort, while it asks twice for the state
// of git. It does that every 10 seconds; for its lists and for its health it asks every 30.
const (
	calm     = 24
	calmEach = 6
)

// staysCalm watches the page and fails when it storms the instance. The page's own clock says for how long.
func (b *browser) staysCalm(wire *tap) {
	b.t.Helper()
	before := len(wire.seen())
	var calls []call
	within(b.t, time.Minute, "the page asks twice for the state of git", func() error {
		calls = wire.seen()[before:]
		asked := 0
		for _, c := range calls {
			if strings.HasSuffix(c.path, "/api/bash/execute_bash_command") {
				asked++
			}
		}
		if asked < 2 {
			return errors.New(table(tally(calls)))
		}
		return nil
	})
	counts := tally(calls)
	b.t.Logf("while the page rests:\n%s", table(counts))
	if len(calls) > calm {
		b.t.Errorf("%d calls of a page that rests, want at most %d", len(calls), calm)
	}
	for c, n := range counts {
		if n > calmEach {
			b.t.Errorf("%d times %s of a page that rests, want at most %d", n, c, calmEach)
		}
	}
}

// actsFor switches the browser of c to the team by the overlay, so that the list is the team's.
func (b *browser) actsFor(c *client, team string) {
	b.t.Helper()
	b.click(b.find("button", c.email))
	b.click(b.find("button", "Switch to "+team))
	b.sees(sharedTitle)
	b.click(b.find("button", c.email))
	b.find("button", "Switch to ") // the way back
	if shown := fmt.Sprint(b.things()); !strings.Contains(shown, team) {
		b.t.Errorf("the overlay does not name the team: %s", shown)
	}
	b.do("team")
	b.do("list", chromedp.KeyEvent("\x1b"))
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

// showsChanges opens the tab with the changes of the workspace, and one of them, in the editor that comes from our own origin.
func (b *browser) showsChanges(wire *tap) {
	b.t.Helper()
	b.press(named("conversation-tab-commits"))
	b.sees("Uncommitted")
	b.press(named("uncommitted-changes-row-toggle"))
	within(b.t, 20*time.Second, "notes.txt is among the changes", func() error {
		if !script[bool](b, `(() => {
			const rows = [...document.querySelectorAll('[data-testid="file-diff-viewer-outer"]')];
			const row = rows.find(e => e.innerText.includes("notes.txt"))?.querySelector('[data-testid="collapse"]');
			row?.click();
			return !!row;
		})()`) {
			return fmt.Errorf("it shows %.1500s", b.text())
		}
		return nil
	})
	wire.answered(b.t, "GET", "/api/git/diff", http.StatusOK)
	within(b.t, 30*time.Second, "the difference shows the old line and the new one", func() error {
		lines := script[[]string](b, `[...document.querySelectorAll(".monaco-diff-editor .modified .view-line")].map(e => e.innerText.trim())`)
		if !slices.Contains(lines, "one") || !slices.Contains(lines, "two") {
			return fmt.Errorf("it shows %q", lines)
		}
		if !script[bool](b, `!!document.querySelector(".monaco-diff-editor .line-insert")`) { // found by the editor's worker
			return errors.New("the new line is not marked")
		}
		return nil
	})
	b.do("diff")
	b.content()
}

// showsBranch waits for what the page finds out about the workspace's git.
func (b *browser) showsBranch() {
	b.t.Helper()
	b.sees("branch-72")
	b.do("branch")
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
	b.content()
	b.actsFor(developer, "Research")
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
	b.showsBranch()
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
	var fork string
	within(t, 20*time.Second, "the page goes to the fork", func() error {
		if fork = script[string](b, `location.pathname.split("/").pop()`); fork == team.talk {
			return errors.New("it is at " + fork)
		}
		return nil
	})
	b.sees("brought.txt") // in the fork's own tree of files
	b.sees("first-23")
	b.do("forked")
	b.content()
	b.rename("Renamed by the developer")
	within(t, 20*time.Second, "the fork has its new name", func() error {
		if title := team.owner.field(team.owner.get("/api/conversations/"+fork), "title"); title != "Renamed by the developer" {
			return fmt.Errorf("it is %q", title)
		}
		return nil
	})
	b.sees("Renamed by the developer")
	b.do("has its new name")
	b.content()
	b.delete()
	wire.answered(t, "DELETE", "/api/conversations/"+fork, http.StatusOK)
	within(t, 20*time.Second, "the page leaves what is deleted", func() error {
		if at := script[string](b, `location.pathname`); strings.Contains(at, fork) {
			return errors.New("it is at " + at)
		}
		return nil
	})
	b.do("deleted", chromedp.WaitVisible(home))
	b.content()
	team.owner.want(http.StatusNotFound, team.owner.get("/api/conversations/"+fork))
	team.owner.want(http.StatusOK, team.owner.get(talk))
	b.showsPage(wire.url + talk + "/workspace/page.html")
}

// viewersAnswer is what a client hears whose message was not taken, viewersNote what stands in the place of the box to write in.
const (
	viewersAnswer = "Your role in this team may read this conversation, but not write to it: the message was not sent."
	viewersNote   = "Your role in this team lets you read this conversation, but not write to it."
)

// mayOnlyRead waits until the page has the note and no box.
func (b *browser) mayOnlyRead() {
	b.t.Helper()
	within(b.t, 20*time.Second, "the page says that one may only read", func() error {
		if !slices.ContainsFunc(b.things(), func(t thing) bool { return strings.Contains(t.name, viewersNote) }) {
			return fmt.Errorf("it shows %.1500s", b.text())
		}
		return nil
	})
	if script[bool](b, `document.querySelector('[data-testid="chat-input"]')?.checkVisibility() ?? false`) {
		b.t.Error("the box to write in is there")
	}
}

// says sends a message past the page's own box, and returns what the socket answers.
func (b *browser) says(id, text string) string {
	b.t.Helper()
	return script[string](b, fmt.Sprintf(`new Promise((done, fail) => {
		const socket = new WebSocket("/sockets/events/%s");
		socket.onerror = fail;
		socket.onopen = () => socket.send(JSON.stringify({role: "user", content: [{type: "text", text: %q}], run: true}));
		socket.onmessage = ({data}) => {
			const event = JSON.parse(data);
			if (event.kind === "ServerErrorEvent") { socket.close(); done(event.detail); }
		};
	})`, id, text))
}

// uploads sends a file past the page's own box, and returns the status of the answer.
func (b *browser) uploads(id, name string) int {
	b.t.Helper()
	return script[int](b, fmt.Sprintf(`(async () => {
		const headers = {"X-Session-API-Key": "cookie"};
		const talk = await (await fetch("/api/conversations/%s", {headers})).json();
		const body = new FormData();
		body.append("file", new Blob(["intruder-file"]), %q);
		const path = encodeURIComponent(talk.workspace.working_dir + "/" + %q);
		return (await fetch("/api/file/upload?path=" + path, {method: "POST", headers, body})).status;
	})()`, id, name, name))
}

func TestAViewerReadsInCanvasAndChangesNothing(t *testing.T) {
	t.Parallel()
	team := newSharedTeam(t)
	viewer := team.join(t, "viewer")
	own := viewer.create("say: of the viewer's own")
	wire := newTap(t, team.owner.base)
	b := newBrowser(t, "viewer")
	talk := "/api/conversations/" + team.talk
	open := chromedp.Steps(chromedp.Navigate(wire.url+"/conversations/"+team.talk), chromedp.WaitVisible(chromedp.CSS(named("interactive-chat-box"))))

	b.do("signed in", signIn(wire.url, viewer))
	b.actsFor(viewer, "Research")
	b.content()
	b.do("opened", open)
	b.sees("first-23")
	b.mayOnlyRead()
	b.do("history")
	b.content()
	b.showsBranch()
	b.showsFiles(wire, talk)
	b.showsChanges(wire)
	b.staysCalm(wire)

	if answer := b.says(team.talk, "run: echo intruder-$((30+3))"); answer != viewersAnswer {
		t.Errorf("the socket answers %q", answer)
	}
	if status := b.uploads(team.talk, "brought.txt"); status != http.StatusForbidden {
		t.Errorf("an upload is answered with %d", status)
	}
	b.do("upload refused")
	b.do("again", open)
	b.sees("first-23")
	b.press(`button[aria-label="Branch from here"]`)
	wire.answered(t, "POST", talk+"/fork", http.StatusForbidden)
	b.do("fork refused")
	b.rename("Renamed by an intruder")
	wire.answered(t, "PATCH", talk, http.StatusForbidden)
	b.do("name refused")
	b.delete()
	wire.answered(t, "DELETE", talk, http.StatusForbidden)
	b.do("deletion refused")
	b.do("opened again", open)
	b.sees("first-23")
	b.mayOnlyRead()
	b.do("still usable")
	b.content()
	b.staysCalm(wire)

	info := team.owner.want(http.StatusOK, team.owner.get(talk))
	if title := team.owner.field(info, "title"); title != sharedTitle {
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

	// In a conversation of one's own there is a box.
	b.do("own", chromedp.Navigate(wire.url+"/conversations/"+own), chromedp.WaitVisible(chatBox))
	b.sees("of the viewer's own")
	b.showsPage(wire.url + talk + "/workspace/page.html")
}
