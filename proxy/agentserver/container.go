package agentserver

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// What differs when the upstream runs each conversation in a container of its own. Inside, every conversation's folder is called
// /workspace; calls that name a conversation reach its container, all others the host outside. Canvas' calls on files and
// commands name none, so the conversation is that of the page that they come from.

// containerFolder is what a conversation's folder is called in its container.
const containerFolder = "/workspace"

var errOneContainer = problem.New(http.StatusNotImplemented,
	"The OpenHands backend runs each conversation in a container of its own, and cannot do this there. Start a new conversation.")

// runtime remembers how the upstream runs conversations. The zero value knows nothing.
type runtime struct{ apart atomic.Pointer[bool] }

// Learn asks the upstream for its version and for how it runs conversations. It is called now and then, so that no request has
// to ask on its way.
func (d *Dialect) Learn(ctx context.Context) (version string, err error) {
	reply, err := d.call(ctx, proxy.Outgoing{Method: http.MethodGet, Path: "/server_info"})
	if err != nil {
		return "", err
	}
	var said struct {
		Version string `json:"version"`
		Runtime string `json:"conversation_runtime"`
	}
	if err := decode(reply.Body, &said); err != nil || said.Version == "" {
		return "", errors.Join(errors.New("its /server_info names no version"), err)
	}
	apart := Report{Runtime: said.Runtime}.apart()
	d.runtime.apart.Store(&apart)
	return said.Version, nil
}

// apart says whether conversations run in containers, as was last learned. Who comes before anything was learned asks.
func (d *Dialect) apart(ctx context.Context) bool {
	if known := d.runtime.apart.Load(); known != nil {
		return *known
	}
	if _, err := d.Learn(ctx); err != nil {
		return false
	}
	return *d.runtime.apart.Load()
}

// unlessApart refuses what containers cannot do.
func unlessApart(handle handler) handler {
	return func(d *Dialect, x *proxy.Exchange) error {
		if d.apart(x.Request.Context()) {
			return errOneContainer
		}
		return handle(d, x)
	}
}

// pageCall makes a flat call the call of the conversation whose page it came from. p is the path that it names, in the container.
func (d *Dialect) pageCall(x *proxy.Exchange, p string, permission access.Permission) error {
	if !within(containerFolder, p) {
		return access.ErrHidden
	}
	page, err := url.Parse(x.Request.Referer())
	if err != nil {
		return access.ErrHidden
	}
	rest, found := strings.CutPrefix(page.Path, "/conversations/")
	name, _, _ := strings.Cut(rest, "/")
	id, ok := proxy.ConversationID(name)
	if !found || !ok {
		return access.ErrHidden
	}
	object, err := d.config.Conversations.Find(x.Request.Context(), id)
	if err != nil {
		return err
	}
	if err := x.Principal().On(object, permission); err != nil {
		return err
	}
	x.Object = object
	return nil
}

// reachesHere is stays for a call that names its conversation: in a container there are no other teams' files.
func (d *Dialect) reachesHere(x *proxy.Exchange, p string) error {
	if err := d.stays(x.Request.Context(), x.Object.Team, p); err != nil && !d.apart(x.Request.Context()) {
		return err
	}
	return nil
}

// readyContainer prepares what a container needs: its folder must be there before it starts.
func (d *Dialect) readyContainer(ctx context.Context, x *proxy.Exchange, dir string) error {
	if !d.apart(ctx) {
		return nil
	}
	reply, err := x.Fetch(ctx, proxy.Outgoing{Method: http.MethodPost, Path: "/api/file/create_directory", Query: url.Values{"path": {dir}}})
	if err == nil && reply.Status >= 300 {
		err = d.refusal(reply)
	}
	return err
}

// ownFolder takes the container's name of the folder for none: the conversation gets a folder of its own.
func (d *Dialect) ownFolder(ctx context.Context, in map[string]any) {
	workspace, _ := in["workspace"].(map[string]any)
	if dir, _ := workspace["working_dir"].(string); within(containerFolder, folder(dir)) && d.apart(ctx) {
		workspace["working_dir"] = ""
	}
}
