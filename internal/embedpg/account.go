//go:build unix

package embedpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the operating system's user that the server runs as. Postgres refuses to run as root.
type account struct {
	name     string
	uid, gid int
	drop     bool // we are root and give that up for the server
}

// accountFor chooses the account: our own, or for root the owner of existing data, else "postgres", else "nobody".
func accountFor(cluster string) (account, error) {
	if uid := os.Geteuid(); uid != 0 {
		return account{name: strconv.Itoa(uid), uid: uid, gid: os.Getegid()}, nil
	}
	if info, err := os.Stat(cluster); err == nil && owner(info) != 0 {
		return ownerAccount(info), nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			return fromUser(u)
		}
	}
	return account{}, errors.New("the database server refuses to run as root, and there is neither a user \"postgres\" nor \"nobody\": " +
		"make one (useradd --system postgres), or start as a normal user")
}

func ownerAccount(info fs.FileInfo) account {
	stat := info.Sys().(*syscall.Stat_t)
	a := account{name: strconv.Itoa(int(stat.Uid)), uid: int(stat.Uid), gid: int(stat.Gid), drop: true}
	if u, err := user.LookupId(a.name); err == nil {
		a.name = u.Username
	}
	return a
}

func fromUser(u *user.User) (account, error) {
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return account{}, fmt.Errorf("read the user id of %s: %w", u.Username, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	return account{name: u.Username, uid: uid, gid: gid, drop: true}, err
}

// command is a program that runs as the account, apart from the terminal's signals and ended with us.
func (a account) command(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = "/"
	cmd.Env = environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if a.drop {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	endWithUs(cmd.SysProcAttr)
	return cmd
}

// give makes the account the owner of path and of everything in it.
func (a account) give(path string) error {
	if !a.drop {
		return nil
	}
	return filepath.WalkDir(path, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, a.uid, a.gid)
	})
}

// reaches tries what the server will have to do: run its program with dir as the working folder.
func (a account) reaches(ctx context.Context, dir string, bin binaries) error {
	cmd := a.command(ctx, bin.path("postgres"), "--version")
	cmd.Dir = dir
	err := cmd.Run()
	if err == nil {
		return nil
	}
	for _, end := range []string{dir, bin.dir} {
		if folder := a.blocked(end); folder != "" {
			return fmt.Errorf("the database runs as the user %q, who may not enter the folder %s: "+
				"choose another DATA_DIR, such as /var/lib/openhands-saas, or run: chmod o+x %s", a.name, folder, folder)
		}
	}
	return fmt.Errorf("the user %q cannot run %s with its data below %s: %w", a.name, bin.path("postgres"), dir, err)
}

// blocked returns the topmost folder on the way to dir that the account may not enter by its mode.
func (a account) blocked(dir string) string {
	if parent := filepath.Dir(dir); parent != dir {
		if folder := a.blocked(parent); folder != "" {
			return folder
		}
	}
	if info, err := os.Stat(dir); err != nil || !a.enters(info) {
		return dir
	}
	return ""
}

func (a account) enters(info fs.FileInfo) bool {
	stat, mode := info.Sys().(*syscall.Stat_t), info.Mode()
	switch {
	case int(stat.Uid) == a.uid:
		return mode&0o100 != 0
	case int(stat.Gid) == a.gid:
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}

func owner(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }
