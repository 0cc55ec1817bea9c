package e2e_test

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/e2e/relay"
)

// The kinds of what must not be delivered. The first are nobody's; the last two depend on who reads.
const (
	aKey     = "a key"
	aCookie  = "a cookie of the upstream"
	aToken   = "the token of an editor"
	aGlobal  = "a global of the page"
	aHeader  = "a header of the upstream"
	anInside = "the inside of the upstream"
	sealed   = "an answer that nobody can look into"
	aFolder  = "a folder that is not the reader's"
	ofOthers = "something of another team"
)

// leak is something that was delivered and must not have been.
type leak struct{ kind, what, before string }

func (l leak) String() string { return fmt.Sprintf("%s, %q, after …%q", l.kind, l.what, l.before) }

// tellTales are the texts that give away what nobody may be delivered, but for the keys: text → kind.
func tellTales() map[string]string {
	return map[string]string{
		"oh_workspace_session_key": aCookie,
		"tkn=":                     aToken,
		`window.__AGENT_CANVAS_SESSION_API_KEY__="`:       aGlobal, // as Canvas' own server writes it
		`window.__AGENT_CANVAS_SESSION_API_KEY__ = "`:     aGlobal,
		`window.__AGENT_CANVAS_VSCODE_BASE_PATH__="`:      aGlobal,
		`window.__AGENT_CANVAS_RUNTIME_SERVICES_INFO__={`: aGlobal,
		"Server: uvicorn":                   aHeader,
		allowsCredentials:                   aHeader,
		"X-Archive-Repo-Root: ":             aHeader,
		"Traceback (most recent call last)": anInside,
		"\r\nContent-Encoding: ":            sealed,
		"Sec-WebSocket-Extensions: ":        sealed,
	}
}

// allowsCredentials begins the header by which the upstream lets any page act for whoever is signed in.
const allowsCredentials = "Access-Control-Allow-Credentials: "

// hostFolder says whether a path below the folder of the run may be shown to anybody: it lies in an upstream's workspaces.
func hostFolder(rest string) bool {
	inside := strings.SplitN(strings.TrimPrefix(rest, "/"), "/", 3)
	return len(inside) >= 2 && inside[1] == "workspaces"
}

// lookedFor is what the relays look for in all that all instances deliver.
func lookedFor() (needles map[string]string, words []relay.Word) {
	needles = secrets()
	for text, kind := range tellTales() {
		needles[fmt.Sprintf("%s (%s)", kind, strings.TrimSpace(text))] = text
	}
	return needles, []relay.Word{{Name: aFolder, Begins: world.dir, Harmless: hostFolder}}
}

// reader is who reads what was delivered: the teams whose folders they may see, and what is others'.
type reader struct {
	teams, foreign []string
}

// leaks finds, in all that a reader was sent, what must not be there: of each text its first place.
func (r reader) leaks(got string) (found []leak) {
	note := func(kind, text string) {
		if at := strings.Index(got, text); at >= 0 {
			found = append(found, leak{kind, text, got[max(0, at-200):at]})
		}
	}
	for _, secret := range secrets() {
		note(aKey, secret)
	}
	for text, kind := range tellTales() {
		note(kind, text)
	}
	note(aCookie, "Set-Cookie: ") // readers have tokens, and get no cookies even of ours
	for _, text := range r.foreign {
		note(ofOthers, text)
		if bare := strings.ReplaceAll(text, "-", ""); len(text) == 36 && len(bare) == 32 {
			note(ofOthers, bare)
		}
	}
	folders := slices.Sorted(slices.Values(regexp.MustCompile(regexp.QuoteMeta(world.dir)+`[A-Za-z0-9._/-]*`).FindAllString(got, -1)))
	for _, folder := range slices.Compact(folders) {
		if !r.mayKnow(strings.TrimRight(folder, ".")) { // it may end a sentence
			note(aFolder, folder)
		}
	}
	return found
}

func (r reader) mayKnow(folder string) bool {
	return slices.ContainsFunc(r.teams, func(team string) bool {
		root := path.Join(world.upstream.Workspaces(), "teams", team)
		return folder == root || strings.HasPrefix(folder, root+"/")
	})
}

// kinds are those of the leaks, each once.
func kinds(leaks []leak) []string {
	all := []string{}
	for _, l := range leaks {
		all = append(all, l.kind)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// TestTheJudgeKnowsEveryKindOfLeak plants one of each among what may be delivered.
func TestTheJudgeKnowsEveryKindOfLeak(t *testing.T) {
	t.Parallel()
	const mine, other = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	who := reader{teams: []string{mine}, foreign: []string{other, "amber-content"}}
	folder := path.Join(world.upstream.Workspaces(), "teams")
	for planted, want := range map[string]string{
		"in your team's folder " + folder + "/" + mine + ".": "",
		"":                  "",
		folder + "/" + mine: "",
		folder + "/" + mine + "/workspace/project/x.txt":         "",
		`window.__AGENT_CANVAS_SESSION_API_KEY__ = placeholder;`: "",
		"the cookie oh_session":                                  "",
		world.upstream.Key():                                     aKey,
		world.upstream.SecretKey():                               aKey,
		world.llm.Key():                                          aKey,
		signingSecret:                                            aKey,
		"Set-Cookie: a=b":                                        aCookie,
		"cookie oh_workspace_session_key":                        aCookie,
		"http://localhost:8001/?tkn=****&folder=workspace":       aToken,
		`<script>window.__AGENT_CANVAS_SESSION_API_KEY__="****"`: aGlobal,
		"Server: uvicorn\r\n":                                    aHeader,
		"Access-Control-Allow-Credentials: true\r\n":             aHeader,
		"X-Archive-Repo-Root: /\r\n":                             aHeader,
		"Traceback (most recent call last):\n":                   anInside,
		"\r\nContent-Encoding: gzip\r\n":                         sealed,
		"Sec-WebSocket-Extensions: permessage-deflate":           sealed,
		folder:                                        aFolder,
		folder + "/" + mine + "0/x":                   aFolder,
		folder + "/other":                             aFolder,
		path.Join(world.dir, "upstream", "home"):      aFolder,
		path.Join(world.upstream.Workspaces(), "own"): aFolder,
		`{"id":"` + other + `"}`:                      ofOthers,
		strings.ReplaceAll(other, "-", ""):            ofOthers,
		"amber-content":                               ofOthers,
	} {
		got := strings.Join(kinds(who.leaks("HTTP/1.1 200 OK\r\n\r\n{\"a\":\""+planted+"\"}")), ", ")
		if got != want {
			t.Errorf("%q: %q, want %q", planted, got, want)
		}
	}
}

// TestTheRelaysKnowFoldersOfTheHost shows what the relays, who do not know who reads, make of a folder.
func TestTheRelaysKnowFoldersOfTheHost(t *testing.T) {
	t.Parallel()
	for rest, want := range map[string]bool{
		"/upstream/workspaces": true, "/upstream/workspaces/teams/1": true, "/single-user/workspaces/x": true,
		"": false, "/": false, "/upstream": false, "/upstream/conversations/1": false, "/upstream/api-key": false,
		"/instance-1/postgres": false, "/upstream/workspaces-of-another": false, "/workspaces": false,
	} {
		if got := hostFolder(rest); got != want {
			t.Errorf("%q may be shown: %v, want %v", rest, got, want)
		}
	}
}
