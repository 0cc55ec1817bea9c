package agentserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

var errNotPlain = errors.New("it cannot be entered, or is a symbolic link or a file, where a folder should be")

// removeHere removes folders through the mount of the workspace root.
func (d *Dialect) removeHere(ctx context.Context, folders []string) (map[string]error, error) {
	mount, err := os.OpenRoot(d.config.WorkspaceMount)
	if err != nil {
		return nil, err
	}
	defer func() { _ = mount.Close() }()
	teams, err := enter(mount, "teams") // an empty mount point is not a workspace whose folders are all gone
	if err != nil {
		return nil, fmt.Errorf("find the folder of all teams in the workspace mount: %w", err)
	}
	defer func() { _ = teams.Close() }()
	left := map[string]error{}
	for _, f := range folders {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := removeBelow(teams, d.belowTeams(f)); err != nil {
			left[f] = err
		}
	}
	return left, nil
}

// removeBelow removes the last of the names, which lead from dir downwards. A symbolic link there is removed itself.
func removeBelow(dir *os.Root, names []string) error {
	if len(names) == 1 {
		return dir.RemoveAll(names[0])
	}
	next, err := enter(dir, names[0])
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = next.Close() }()
	return removeBelow(next, names[1:])
}

// enter opens a folder below dir that is none by a symbolic link. os.Root alone would follow a link that stays inside: to
// another's folder.
func enter(dir *os.Root, name string) (*os.Root, error) {
	seen, err := dir.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !seen.IsDir() {
		return nil, fmt.Errorf("%s: %w", name, errNotPlain)
	}
	next, err := dir.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	if opened, err := next.Stat("."); err != nil || !os.SameFile(seen, opened) { // it was exchanged in between
		_ = next.Close()
		return nil, fmt.Errorf("%s: %w", name, errNotPlain)
	}
	return next, nil
}
