//go:build unix

package embedpg

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

const (
	port = "5432" // only a part of the socket's name

	// longestSocket is the longest path of a socket that every system takes: Linux 107 bytes, macOS 103.
	longestSocket = 103
)

func socketFile(dir string) string { return filepath.Join(dir, ".s.PGSQL."+port) }

// socketDir makes the folder of the socket. Whoever may enter it is the database's superuser: so it belongs to the server's
// account alone.
func (f *folder) socketDir(wanted string, a account) (string, error) {
	dir := wanted
	if dir == "" {
		dir = f.defaultSocketDir(a)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the socket's folder: %w", err)
	}
	if n := len(socketFile(dir)); n > longestSocket {
		return "", fmt.Errorf("the socket's path %s has %d bytes, a socket may have %d: choose a shorter folder", socketFile(dir), n, longestSocket)
	}
	return dir, errors.Join(private(dir, a), clean(dir))
}

// defaultSocketDir is below the data folder, or where that is too long in the system's temporary folder, under a name that
// depends on the data folder and the account only.
func (f *folder) defaultSocketDir(a account) string {
	if dir := filepath.Join(f.dir, "postgres.run"); len(socketFile(dir)) <= longestSocket {
		return dir
	}
	sum := sha256.Sum256([]byte(f.dir))
	name := fmt.Sprintf("openhands-saas-%d-%x", a.uid, sum[:6])
	for _, temporary := range []string{os.TempDir(), "/tmp"} {
		dir := filepath.Join(temporary, name)
		if len(socketFile(dir)) <= longestSocket && a.blocked(temporary) == "" {
			return dir
		}
	}
	return filepath.Join("/tmp", name)
}

// private makes dir for the account alone. A folder that is already there is trusted only when it is one, is no link and
// belongs to the account (or to us, root): in a folder that all may write to, somebody else may have been first.
func private(dir string, a account) error {
	err := os.Mkdir(dir, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the socket's folder: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("look at the socket's folder: %w", err)
	}
	if !info.IsDir() || !slices.Contains([]int{a.uid, os.Geteuid()}, owner(info)) {
		return fmt.Errorf("%s should be our folder for the database's socket, but it belongs to user %d or is no folder: "+
			"remove it, or set TMPDIR to a folder of your own", dir, owner(info))
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("close the socket's folder: %w", err)
	}
	if !a.drop {
		return nil
	}
	return os.Chown(dir, a.uid, a.gid)
}

// clean removes what a crashed server left. Its lock names a process id that may be another process's by now, and we know from
// the data folder that no server is alive.
func clean(dir string) error {
	for _, name := range []string{socketFile(dir), socketFile(dir) + ".lock"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove a former server's socket: %w", err)
		}
	}
	return nil
}
