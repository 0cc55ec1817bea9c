//go:build unix

package embedpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// initialize makes an empty database beside its final place and moves it there when it is whole: an interrupted initdb leaves
// nothing that looks like a database.
func (f *folder) initialize(ctx context.Context, a account, bin binaries, cfg Config) error {
	if err := f.removeUnfinished(); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(f.dir, unfinished)
	if err != nil {
		return fmt.Errorf("make a folder for a new database: %w", err)
	}
	cfg.Log.Info("making a new database", "folder", f.cluster, "postgres", bin.version)
	if err := errors.Join(a.give(fresh), initdb(ctx, a, bin, fresh, cfg.Fsync)); err != nil {
		return errors.Join(err, os.RemoveAll(fresh))
	}
	if err := os.Rename(fresh, f.cluster); err != nil {
		return errors.Join(fmt.Errorf("move the new database to its place (%s must not be a mount point; mount its parent): %w", f.cluster, err),
			os.RemoveAll(fresh))
	}
	return syncDir(f.dir)
}

const unfinished = "postgres.init-"

func (f *folder) removeUnfinished() error {
	left, _ := filepath.Glob(filepath.Join(escape(f.dir), unfinished+"*")) // fails for malformed patterns only
	for _, dir := range left {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove an unfinished database: %w", err)
		}
	}
	return nil
}

// escape makes a path of any letters a pattern for itself.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// initdb chooses the C locale: the order of rows must not change with the system's C library.
func initdb(ctx context.Context, a account, bin binaries, dir string, fsync bool) error {
	args := []string{"-D", dir, "-U", superuser, "-E", "UTF8", "--no-locale", "--auth-local=trust", "--auth-host=reject", "--no-instructions"}
	if fsync {
		args = append(args, "--data-checksums")
	} else {
		args = append(args, "--no-sync")
	}
	runtime.LockOSThread() // the kernel ends the child with this thread
	defer runtime.UnlockOSThread()
	out, err := a.command(ctx, bin.path("initdb"), args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("make a new database with %s: %w\n%s", bin.path("initdb"), err, strings.TrimSpace(string(out)))
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
