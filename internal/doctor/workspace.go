package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
)

// workspaces asks the upstream to list the root: it can be read without leaving anything there, which writing could not.
func (e *examiner) workspaces(ctx context.Context, u server) {
	const check = "workspace root"
	root := e.Upstream.WorkspaceRoot
	listing, err := u.get(ctx, "/api/file/search_subdirs?"+url.Values{"path": {root}}.Encode(), http.Header{keyHeader: {e.Upstream.Key}})
	correct := "make it on the agent-server's host, owned by the account that the agent-server runs as, or correct UPSTREAM_WORKSPACE_ROOT"
	switch {
	case err != nil:
		e.problem(check, "it could not be looked at: "+err.Error(), "look at the agent-server's log")
	case listing.status == http.StatusNotFound:
		e.problem(check, root+" does not exist where the agent-server runs", correct)
	case listing.status == http.StatusBadRequest:
		e.problem(check, root+" is no folder where the agent-server runs", correct)
	case listing.status == http.StatusForbidden:
		e.problem(check, "the agent-server may not read "+root, correct)
	case listing.status != http.StatusOK:
		e.problem(check, fmt.Sprintf("the agent-server cannot list %s (%d)", root, listing.status), "look at the agent-server's log")
	default:
		e.ok(check, "%s is a folder where the agent-server runs; whether it may write there, `openhands-saas smoke` tells", root)
		e.mount(listing.body)
	}
}

// mount compares what is in the root over there with what is in it here.
func (e *examiner) mount(listing []byte) {
	const check = "workspace mount"
	mount := e.Upstream.WorkspaceMount
	if mount == "" {
		return
	}
	var there struct{ Items []struct{ Name string } }
	_ = json.Unmarshal(listing, &there) // what cannot be read lists nothing
	here, err := os.ReadDir(mount)
	same := "mount the agent-server's UPSTREAM_WORKSPACE_ROOT itself at UPSTREAM_WORKSPACE_MOUNT, or unset that"
	if err != nil {
		e.problem(check, "it cannot be read: "+err.Error(), same)
		return
	}
	for _, item := range there.Items {
		if !slices.ContainsFunc(here, func(entry os.DirEntry) bool { return entry.Name() == item.Name }) {
			e.problem(check, fmt.Sprintf("%s is another folder: %s is in the root over there and not here", mount, item.Name), same)
			return
		}
	}
	if len(there.Items) == 0 && slices.ContainsFunc(here, listed) {
		e.problem(check, mount+" is another folder: it holds some, and the root over there holds none", same)
		return
	}
	e.ok(check, "%s shows the same folders", mount)
}

// listed says whether the agent-server would list the entry.
func listed(entry os.DirEntry) bool { return entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") }
