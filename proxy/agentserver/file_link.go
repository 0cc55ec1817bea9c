package agentserver

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// Symbolic links, which agents may put anywhere in their team's folder, and which the upstream follows wherever it does not
// confine a call. Where the workspace is mounted here they are looked up; without a mount the upstream is asked, whose lists of
// folders leave links out. An agent may still exchange a folder for a link after the look: who has a terminal reaches as far
// without.

// plain is access.ErrHidden where p, which lies in a team's root, is reached by a symbolic link. It may lack, or the end of its
// way, where lack says so.
func (d *Dialect) plain(ctx context.Context, fetch fetcher, p string, lack bool) error {
	if d.config.WorkspaceMount == "" {
		return d.plainThere(ctx, fetch, p, lack)
	}
	mount, err := d.mount(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = mount.Close() }()
	for n, name := range d.ways(p) {
		seen, err := mount.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist) && n == 0: // no team was ever here, or this is no workspace
			return d.plainThere(ctx, fetch, p, lack)
		case errors.Is(err, fs.ErrNotExist) && lack:
			return nil
		case err != nil, seen.Mode()&fs.ModeSymlink != 0:
			return access.ErrHidden
		}
	}
	return nil
}

func (d *Dialect) mount(ctx context.Context) (*os.Root, error) {
	mount, err := os.OpenRoot(d.config.WorkspaceMount)
	if err != nil {
		d.log.ErrorContext(ctx, "the workspace mount cannot be opened", "error", err)
		return nil, access.ErrHidden
	}
	return mount, nil
}

// ways are the folders that lead to p, and p, from the folder of all teams on, as seen from the workspace root.
func (d *Dialect) ways(p string) []string {
	names := strings.Split(strings.TrimPrefix(p, d.config.WorkspaceRoot+"/"), "/")
	for n := range names[1:] {
		names[n+1] = path.Join(names[n], names[n+1])
	}
	return names
}

// plainThere is plain by the upstream's lists of folders: what stands in the list is a folder and no link, and what does not,
// but can be listed itself, is a link.
func (d *Dialect) plainThere(ctx context.Context, fetch fetcher, p string, lack bool) error {
	for n, name := range d.ways(p) {
		at := path.Join(d.config.WorkspaceRoot, name)
		listed, status, err := subfolders(ctx, fetch, path.Dir(at), path.Base(at))
		switch {
		case err != nil:
			return err
		case listed:
			continue
		case status == http.StatusOK:
			if _, status, err = subfolders(ctx, fetch, at, ""); status == http.StatusOK && err == nil {
				// A link, or a folder that somebody made after the first look: then it is listed by now.
				if listed, _, err = subfolders(ctx, fetch, path.Dir(at), path.Base(at)); listed {
					continue
				}
			}
		case n == 0 && status == http.StatusNotFound: // no workspace yet; or an upstream that has no lists
			if _, other, err := subfolders(ctx, fetch, "/", ""); err != nil || other != http.StatusOK {
				return errors.Join(errNoLists, err)
			}
		default:
			return access.ErrHidden
		}
		if err == nil && (status != http.StatusNotFound || !lack) {
			err = access.ErrHidden
		}
		return err
	}
	return nil
}

var errNoLists = problem.New(http.StatusBadGateway, "The agent server could not be asked for its folders. Try again.")

// subfolders asks the upstream whether name is a folder in dir. Without a name it just asks for the list.
func subfolders(ctx context.Context, fetch fetcher, dir, name string) (listed bool, status int, err error) {
	query := url.Values{"path": {dir}, "include_hidden": {"true"}, "limit": {"100"}}
	if name != "" {
		query.Set("page_id", strings.ToLower(name)) // the list begins there
	}
	reply, err := fetch(ctx, proxy.Outgoing{Method: http.MethodGet, Path: "/api/file/search_subdirs", Query: query})
	if err != nil || reply.Status != http.StatusOK {
		return false, statusOf(reply), err
	}
	var page struct{ Items []struct{ Name string } }
	if err := decode(reply.Body, &page); err != nil {
		return false, 0, err
	}
	return slices.ContainsFunc(page.Items, func(i struct{ Name string }) bool { return i.Name == name }), reply.Status, nil
}

func statusOf(r *proxy.Reply) int {
	if r == nil {
		return 0
	}
	return r.Status
}

// stays is reaches for p as it is and for where its symbolic links lead, as far as the mount shows them.
func (d *Dialect) stays(ctx context.Context, team uuid.UUID, p string) error {
	if err := d.reaches(team, p); err != nil || d.config.WorkspaceMount == "" || !within(d.teamRoot(team), p) {
		return err
	}
	mount, err := d.mount(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = mount.Close() }()
	if real, ok := d.followed(mount, p); !ok || !within(d.teamRoot(team), real) {
		return access.ErrHidden
	}
	return nil
}

// maxLinks is how many links are followed, as in Linux.
const maxLinks = 40

// followed is p after its links were followed. What lacks stays as it is. False: it leads out of the workspace, or nowhere.
func (d *Dialect) followed(mount *os.Root, p string) (string, bool) {
	root := d.config.WorkspaceRoot + "/"
	at, left := "", strings.Split(strings.TrimPrefix(p, root), "/")
	for links := 0; len(left) > 0; {
		next := path.Join(at, left[0])
		left = left[1:]
		if next == ".." {
			return "", false
		}
		seen, err := mount.Lstat(path.Join(".", next))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", false
		}
		if err != nil || seen.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		target, err := mount.Readlink(next)
		if links++; err != nil || links > maxLinks {
			return "", false
		}
		if path.IsAbs(target) {
			below, inside := strings.CutPrefix(target, root)
			if !inside {
				return "", false
			}
			at, target = "", below
		}
		left = append(strings.Split(target, "/"), left...)
	}
	return path.Join(d.config.WorkspaceRoot, at), true
}

// workable refuses a working directory that may be another team's: conversations read what is in it for everybody in their team.
//
// A container gets the folder put into it by its host, which would follow a link at every start. So there no folder may lie in
// another's, where an agent could exchange it.
func (d *Dialect) workable(ctx context.Context, fetch fetcher, team uuid.UUID, dir string) error {
	s := &sanitizer{}
	loc := []any{"body", "workspace", "working_dir"}
	if path.Dir(dir) != d.project(team) && d.apart(ctx) {
		s.refuse(loc, "Each conversation has a container of its own here: the working directory must be a folder in %s. Leave it empty to get one.", d.project(team))
		return s.err()
	}
	err := d.plain(ctx, fetch, dir, true)
	if errors.Is(err, access.ErrHidden) {
		s.refuse(loc, "The working directory must be a folder that is reached without symbolic links. Leave it empty to get one.")
		return s.err()
	}
	return err
}
