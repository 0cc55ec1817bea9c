package agentserver

import (
	"context"
	"os"
	"path"
	"strings"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// Calls that name a path of the team's folder in which no conversation of the caller's works. The upstream does not confine
// them, so it must be known that no symbolic link leads elsewhere (file_link.go). Without a mount that cannot be known of files:
// only folders are listed and made then.

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
	if err := d.plainFile(x, p, tail); err != nil {
		return err
	}
	return x.Forward(proxy.Outgoing{Ranges: downloads(x)})
}

// plainFile is access.ErrHidden where a call to p would follow a symbolic link, or could, or read nothing of the team's. Without
// a mount only folders can be told from links.
func (d *Dialect) plainFile(x *proxy.Exchange, p, tail string) error {
	ctx := x.Request.Context()
	makes := tail == "/file/create_directory"
	if d.config.WorkspaceMount == "" && !makes && tail != "/file/search_subdirs" {
		return access.ErrHidden
	}
	if err := d.plain(ctx, x.Fetch, p, makes || tail == "/file/upload"); err != nil || !strings.HasPrefix(tail, "/git/") {
		return err
	}
	return d.repository(ctx, p)
}

// repository is access.ErrHidden where p lies in no repository of the team's: git would look above the team's root.
func (d *Dialect) repository(ctx context.Context, p string) error {
	mount, err := d.mount(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = mount.Close() }()
	for _, at := range d.ways(p)[1:] { // below "teams", as what is above belongs to all
		if isFolder(mount, path.Join(at, ".git")) {
			return nil
		}
	}
	return access.ErrHidden
}

// isFolder does not take a link or a file that leads to a folder for one.
func isFolder(root *os.Root, name string) bool {
	seen, err := root.Lstat(name)
	return err == nil && seen.IsDir()
}
