package agentserver

import (
	"net/http"
	"strings"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// errProgram refuses files that the server would obey.
var errProgram = problem.New(http.StatusForbidden,
	"Plugins, hooks and agents of a project cannot be uploaded: the server would run them for everybody who opens this folder. "+
		"Name the folder differently, or have an agent write them.")

// filePath is hostPath, and refuses to write where the server looks for programs of its own.
func filePath(x *proxy.Exchange) (string, error) {
	p, err := hostPath(x)
	if err == nil && x.Operation.Permission == access.FileWrite && program(p) {
		return "", errProgram
	}
	return p, err
}

// program says whether p lies where the server looks for plugins, hooks and agents of the project whose folder it is in: it loads
// them unasked when a conversation begins there. Letter case is nothing to some file systems.
func program(p string) bool {
	segments := strings.Split(strings.ToLower(p), "/")
	for i, name := range segments[:len(segments)-1] {
		if name != ".agents" && name != ".openhands" {
			continue
		}
		switch segments[i+1] {
		case "plugins", "agents", "hooks", "hooks.json":
			return true
		}
	}
	return false
}
