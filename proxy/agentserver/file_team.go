package agentserver

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// Calls that name a path of the team's folder in which no conversation of the caller's works. The upstream does not confine
// them, so it must be known that no symbolic link leads elsewhere. Where the workspace is mounted here that is looked up; without
// a mount only what reads no file is served, by the path's name alone. An agent may still exchange a folder for a link between the
// look and the use: who has a terminal reaches as far without.

// searchFolders lists the folders in one of the team's. Its root is the top.
func (d *Dialect) searchFolders(x *proxy.Exchange) error {
	p, err := hostPath(x)
	if err != nil {
		return err
	}
	if d.apart(x.Request.Context()) {
		return access.ErrHidden
	}
	return d.teamFile(x, p)
}

// teamFile forwards a flat call whose path lies in a team's root, as it is.
func (d *Dialect) teamFile(x *proxy.Exchange, p string) error {
	if err := x.Principal().In(d.teamOf(p), x.Operation.Permission); err != nil {
		return err
	}
	tail := strings.TrimPrefix(x.Operation.Path, "/api")
	whole := tail == "/file/archive" || strings.HasPrefix(tail, "/git/") // reads what lies below
	closed, err := d.config.Conversations.Closed(x.Request.Context(), x.Principal(), p, whole)
	if err != nil {
		return err
	}
	if closed {
		return access.ErrHidden
	}
	if err := d.plainHere(x.Request.Context(), p, tail); err != nil {
		return err
	}
	return x.Forward(proxy.Outgoing{})
}

// plainHere is access.ErrHidden where a call to p would follow a symbolic link, or could, or read nothing of the team's.
func (d *Dialect) plainHere(ctx context.Context, p, tail string) error {
	writes := tail == "/file/upload" || tail == "/file/create_directory"
	if d.config.WorkspaceMount == "" {
		if writes || tail == "/file/search_subdirs" {
			return nil
		}
		return access.ErrHidden
	}
	mount, err := os.OpenRoot(d.config.WorkspaceMount)
	if err != nil {
		d.log.ErrorContext(ctx, "the workspace mount cannot be opened", "error", err)
		return access.ErrHidden
	}
	defer func() { _ = mount.Close() }()
	names := strings.Split(strings.TrimPrefix(p, d.config.WorkspaceRoot+"/"), "/")
	repository := false
	for n := range names {
		at := path.Join(names[:n+1]...)
		seen, err := mount.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist) && writes:
			return nil
		case err != nil, seen.Mode()&fs.ModeSymlink != 0:
			return access.ErrHidden
		}
		if n > 0 { // below "teams", as what is above belongs to all
			repository = repository || isFolder(mount, path.Join(at, ".git"))
		}
	}
	if strings.HasPrefix(tail, "/git/") && !repository {
		return access.ErrHidden // git would look above the team's root
	}
	return nil
}

// isFolder does not take a link or a file that leads to a folder for one.
func isFolder(root *os.Root, name string) bool {
	seen, err := root.Lstat(name)
	return err == nil && seen.IsDir()
}
