//go:build unix

package embedpg

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// folder is the data folder, locked for us.
type folder struct {
	dir     string // absolute, without symbolic links
	cluster string // the database itself
	lock    *os.File
}

// open makes the folder when it is missing and locks it.
func open(dataDir string) (*folder, error) {
	f, err := locate(dataDir)
	if err != nil {
		return nil, err
	}
	f.lock, err = os.OpenFile(filepath.Join(f.dir, "postgres.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err := syscall.Flock(int(f.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(f.inUse(), f.lock.Close())
	}
	if err := errors.Join(f.lock.Truncate(0), f.note()); err != nil {
		return nil, errors.Join(fmt.Errorf("write into the lock of the data folder: %w", err), f.lock.Close())
	}
	return f, nil
}

func locate(dataDir string) (*folder, error) {
	dir, err := filepath.Abs(dataDir)
	if err != nil {
		return nil, fmt.Errorf("find the data folder %q: %w", dataDir, err)
	}
	mode := os.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711 // the server's own user has to pass through
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, fmt.Errorf("find the data folder: %w", err)
	}
	return &folder{dir: dir, cluster: filepath.Join(dir, "postgres")}, nil
}

// note leaves our process id in the lock file, for the message that another process prints.
func (f *folder) note() error {
	_, err := f.lock.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	return err
}

func (f *folder) inUse() error {
	holder, _ := os.ReadFile(f.lock.Name())
	return fmt.Errorf("%w: process %s already runs a database in %s; stop it first, give this one another DATA_DIR, or for several "+
		"replicas use one external database (DB_HOST or DATABASE_URL)", ErrInUse, strings.TrimSpace(string(holder)), f.dir)
}

// release gives the lock back. Closing alone would not: a program that another goroutine is just starting holds a copy of the
// file until it has become that program. The file stays: removing it would let two processes lock two files of one name.
func (f *folder) release() {
	_ = syscall.Flock(int(f.lock.Fd()), syscall.LOCK_UN)
	_ = f.lock.Close()
}

// major reads which version the data are of: "" when there are none yet.
func (f *folder) major() (string, error) {
	version, err := os.ReadFile(filepath.Join(f.cluster, "PG_VERSION"))
	switch {
	case err == nil:
		return strings.TrimSpace(string(version)), nil
	case !errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("the data in %s belong to another account (we run as user %d): %w", f.cluster, os.Geteuid(), err)
	}
	entries, err := os.ReadDir(f.cluster)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("look into %s: %w", f.cluster, err)
	case len(entries) > 0:
		return "", fmt.Errorf("%s holds files but no database (PG_VERSION is missing); nothing was changed: "+
			"move the folder away, or restore the database into it", f.cluster)
	}
	return "", nil
}

// admit lets the account pass through the data folder itself, which is ours to open; its files keep their own modes.
func (f *folder) admit(a account) error {
	info, err := os.Stat(f.dir)
	if err != nil || !a.drop || owner(info) != 0 || a.enters(info) {
		return err
	}
	return os.Chmod(f.dir, info.Mode().Perm()|0o001)
}

// reclaim gives data that root owns, perhaps after a restore, to the account that must own them.
func (f *folder) reclaim(a account) error {
	info, err := os.Stat(f.cluster)
	if err != nil || owner(info) == a.uid {
		return err
	}
	if !a.drop {
		return fmt.Errorf("the data in %s belong to user %d, and we run as user %d: start as that user, or run: chown -R %d %s",
			f.cluster, owner(info), a.uid, a.uid, f.cluster)
	}
	return a.give(f.cluster)
}
