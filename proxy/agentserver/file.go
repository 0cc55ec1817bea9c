package agentserver

import (
	"errors"
	"path"
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

// ownFile forwards a file or git call of a conversation. The upstream confines its path to the working directory, after it
// resolved symbolic links; here the path only has to have one reading.
func (d *Dialect) ownFile(x *proxy.Exchange) error {
	p, err := filePath(x)
	if err != nil {
		return err
	}
	if err := d.reachesHere(x, p); err != nil {
		return err
	}
	return x.Forward(d.fileCall(x, proxy.Outgoing{Ranges: downloads(x)}))
}

// flatFile turns a call that names a host path alone into the call of the conversation whose folder holds the path, so that
// the upstream confines it there. A path elsewhere in the team's root is looked at here; any other is missing, whether it exists
// or not.
func (d *Dialect) flatFile(x *proxy.Exchange) error {
	p, err := filePath(x)
	if err != nil {
		return err
	}
	apart := d.apart(x.Request.Context())
	if apart {
		err = d.pageCall(x, p, x.Operation.Permission)
	} else {
		err = d.held(x, p, x.Operation.Permission)
	}
	if errors.Is(err, access.ErrHidden) && !apart {
		return d.teamFile(x, p)
	}
	if err != nil {
		return err
	}
	tail := strings.TrimPrefix(x.Target.Path, "/api")
	return x.Forward(d.fileCall(x, proxy.Outgoing{Path: conversations + "/" + x.Object.ID.String() + tail, Ranges: downloads(x)}))
}

// held makes the call that of the caller's conversation whose folder holds p.
func (d *Dialect) held(x *proxy.Exchange, p string, permission access.Permission) error {
	c, err := d.holder(x, p, permission)
	if err == nil {
		x.Object = c.Object()
	}
	return err
}

// holder finds the caller's conversation whose folder holds p, in the team that p names, else in the current one.
func (d *Dialect) holder(x *proxy.Exchange, p string, permission access.Permission) (conversation.Conversation, error) {
	team := d.teamOf(p)
	if _, member := x.Principal().RoleIn(team); !member {
		team = x.Team()
	}
	c, err := d.config.Conversations.Containing(x.Request.Context(), x.Principal(), team, p)
	if err != nil {
		return c, err
	}
	if err := d.stays(x.Request.Context(), c.Team, p); err != nil {
		return c, err
	}
	return c, x.Principal().On(c.Object(), permission)
}

// teamOf is the team whose root holds p, or uuid.Nil.
func (d *Dialect) teamOf(p string) uuid.UUID {
	rest, below := strings.CutPrefix(p, d.teamsFolder()+"/")
	if !below {
		return uuid.Nil
	}
	name, _, _ := strings.Cut(rest, "/")
	id, ok := proxy.ConversationID(name)
	if !ok || id.String() != name {
		return uuid.Nil
	}
	return id
}

// downloads says whether one file is fetched, of which ranges make sense. (An archive is made anew for every request.)
func downloads(x *proxy.Exchange) bool { return strings.HasSuffix(x.Operation.Path, "/file/download") }

// fileCall bumps the conversation where it wrote.
func (d *Dialect) fileCall(x *proxy.Exchange, out proxy.Outgoing) proxy.Outgoing {
	if x.Operation.Permission != access.FileWrite {
		return out
	}
	return d.touching(x, out)
}

// hostPath reads the query's path: one, absolute, in the one spelling.
func hostPath(x *proxy.Exchange) (string, error) {
	r := &queryReader{values: x.Query()}
	p := r.one("path")
	switch {
	case !r.values.Has("path"):
		r.fault("missing", "path", "Field required", nil)
	case len(r.faults) == 0 && !canonicalPath(folder(p)):
		r.fault("value_error", "path", "Input should be an absolute path without dot segments", nil)
	}
	return folder(p), r.err()
}

// folder is p without the slash that some clients put behind a folder.
func folder(p string) string {
	if len(p) > 1 {
		return strings.TrimSuffix(p, "/")
	}
	return p
}

// canonicalPath says whether p is absolute and has no second spelling: no NUL, no empty, "." or ".." segment.
func canonicalPath(p string) bool {
	return path.IsAbs(p) && path.Clean(p) == p && !strings.ContainsRune(p, 0)
}
