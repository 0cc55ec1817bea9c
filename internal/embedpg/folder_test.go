//go:build unix

package embedpg_test

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openhands-saas/openhands-saas/internal/embedpg"
)

// picture describes all files below dir: a change of any kind changes it.
func picture(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		text, _ := os.ReadFile(path) // fails for folders
		files[path] = fmt.Sprint(info.Mode(), info.ModTime().UnixNano(), fmt.Sprintf("%+v", info.Sys()), string(text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestDataThatDoNotFitAreRefusedAndNotTouched(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, text, want string }{
		"another major version": {"PG_VERSION", "9\n", "are of PostgreSQL 9, and this machine has PostgreSQL"},
		"a later version":       {"PG_VERSION", "99\n", "apt install postgresql-99"},
		"no database":           {"diary.txt", "dear diary\n", "holds files but no database"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t)
			cluster := filepath.Join(dir, "postgres")
			if err := os.MkdirAll(filepath.Join(cluster, "base"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(cluster, c.file), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			before := picture(t, cluster)
			for range 2 {
				_, err := start(t, embedpg.Config{DataDir: dir})
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "nothing was changed") {
					t.Fatalf("answered %v", err)
				}
			}
			if diff := cmp.Diff(stable(before), stable(picture(t, cluster))); diff != "" {
				t.Fatal("the data were touched:", diff)
			}
		})
	}
}

// stable leaves out the time of the last access, which reading changes.
func stable(files map[string]string) map[string]string {
	for path, text := range files {
		before, after, found := strings.Cut(text, "Atim:{")
		if _, rest, closed := strings.Cut(after, "}"); found && closed {
			files[path] = before + rest
		}
	}
	return files
}

func TestAMissingServerIsExplained(t *testing.T) {
	t.Parallel()
	_, err := start(t, embedpg.Config{DataDir: folder(t), BinDir: "/nowhere"})
	if err == nil || !strings.Contains(err.Error(), "no PostgreSQL server was found") || !strings.Contains(err.Error(), "apt install postgresql") {
		t.Fatalf("answered %v", err)
	}
}

func TestALongDataFolderGetsAShortSocket(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(folder(t), strings.Repeat("long/", 25), "it's \"quoted\", 100% [sic]")
	cfg := embedpg.Config{DataDir: dir}
	s := mustStart(t, cfg)
	remember(t, s)
	address := s.URL("postgres")
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	socket := u.Query().Get("host")
	t.Cleanup(func() { _ = os.Remove(socket) })
	if len(socket) > 93 || strings.HasPrefix(socket, dir) {
		t.Fatalf("the socket's folder is %s", socket)
	}
	stop(t, s)
	again := mustStart(t, cfg)
	remembered(t, again)
	if again.URL("postgres") != address {
		t.Fatalf("the socket moved from %s to %s", address, again.URL("postgres"))
	}
}

func TestASocketFolderOfSomebodyElseIsNotTrusted(t *testing.T) {
	t.Parallel()
	somebodys := map[string]string{"a link": filepath.Join(folder(t), "link")}
	if err := os.Symlink(folder(t), somebodys["a link"]); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // only root can give a folder away
		somebodys["a stranger's"] = folder(t)
		if err := os.Chown(somebodys["a stranger's"], 12345, 12345); err != nil {
			t.Fatal(err)
		}
	}
	for name, socketDir := range somebodys {
		_, err := start(t, embedpg.Config{DataDir: folder(t), SocketDir: socketDir})
		if err == nil || !strings.Contains(err.Error(), "should be our folder") {
			t.Errorf("%s: answered %v", name, err)
		}
	}
}

func TestAFolderThatTheServersAccountCannotPassIsNamed(t *testing.T) {
	t.Parallel()
	closed := filepath.Join(folder(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := start(t, embedpg.Config{DataDir: filepath.Join(closed, "data")})
	if os.Geteuid() != 0 { // it is our own folder, and we are the server's account
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), "may not enter the folder "+closed) || !strings.Contains(err.Error(), "chmod o+x "+closed) {
		t.Fatalf("answered %v", err)
	}
}

func TestAClosedDataFolderOfOursIsOpenedForPassingThroughOnly(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(folder(t), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	mustStart(t, embedpg.Config{DataDir: dir})
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode&^0o701 != 0 {
		t.Fatalf("the folder's mode became %o", mode)
	}
}
