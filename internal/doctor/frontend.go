package doctor

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"golang.org/x/net/html"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

// Frontend is the Canvas UI.
type Frontend struct {
	Dir string // its build folder; empty: no UI is served
}

func (e *examiner) frontend() {
	const check = "UI"
	switch {
	case e.Frontend == nil:
		e.skip(check, unsound)
		return
	case e.Frontend.Dir == "":
		e.ok(check, "none is served (SERVE_FRONTEND=false)")
		return
	}
	named, missing, err := build(e.Frontend.Dir)
	again := "set FRONTEND_DIR to the whole build folder of @openhands/agent-canvas, readable for this account; copy it again"
	switch {
	case err != nil:
		e.problem(check, "its page cannot be read: "+err.Error(), again)
	case named == 0:
		e.problem(check, "index.html in "+e.Frontend.Dir+" names no script: it is not that of the Canvas UI", again)
	case len(missing) > 0:
		e.problem(check, fmt.Sprintf("%d of the files that its page names are not in %s, such as %s", len(missing), e.Frontend.Dir, missing[0]), again)
	default:
		e.editor(check)
	}
}

// editor looks for what the UI shows differences in, which is a package of its own.
func (e *examiner) editor(check string) {
	folder, err := agentserver.MissingEditor(e.Frontend.Dir)
	switch {
	case err != nil:
		e.problem(check, "its files cannot be read: "+err.Error(), "make FRONTEND_DIR and all below it readable for this account")
	case folder != "":
		version, _, _ := strings.Cut(folder, "/")
		e.note(check, "complete in "+e.Frontend.Dir+", but for its editor: the tab with changes names the files and shows no text",
			fmt.Sprintf("unpack the folder min/vs of the npm package %s to %s below FRONTEND_DIR, and restart", version, folder))
	default:
		e.ok(check, "complete in %s", e.Frontend.Dir)
	}
}

// build counts the scripts and styles that the page names, and lists those that are not there.
func build(dir string) (named int, missing []string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = root.Close() }()
	page, err := root.ReadFile("index.html")
	if err != nil {
		return 0, nil, err
	}
	for _, name := range filesOf(page) {
		named++
		file, err := root.Open(name)
		if err != nil {
			missing = append(missing, name)
			continue
		}
		_ = file.Close()
	}
	return named, missing, nil
}

// filesOf are the files below /assets/ that a page loads.
func filesOf(page []byte) (names []string) {
	for z := html.NewTokenizer(bytes.NewReader(page)); z.Next() != html.ErrorToken; {
		token := z.Token()
		if token.Data != "script" && token.Data != "link" {
			continue
		}
		for _, a := range token.Attr {
			if name, inside := strings.CutPrefix(a.Val, "/"); inside && strings.HasPrefix(name, "assets/") && (a.Key == "src" || a.Key == "href") {
				names = append(names, name)
			}
		}
	}
	return names
}
