package embedpg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// binaries is a folder with a usable server.
type binaries struct {
	dir     string
	version string // such as 15.18
	major   string // such as 15: what PG_VERSION in a data folder says
}

// patterns are the places of system packages; the newest version comes first.
var patterns = [...]string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
	"/opt/homebrew/bin",
	"/usr/local/bin",
	"/usr/local/pgsql/bin",
}

// find returns the first usable folder, or with major the first of that major version.
func find(ctx context.Context, binDir, major string) (binaries, error) {
	var seen []string
	for _, dir := range candidates(ctx, binDir) {
		b, err := inspect(ctx, dir)
		if err != nil {
			continue
		}
		if major == "" || b.major == major {
			return b, nil
		}
		seen = append(seen, b.version+" in "+b.dir)
	}
	if len(seen) > 0 {
		return binaries{}, errOtherMajor(seen)
	}
	return binaries{}, errors.New("no PostgreSQL server was found on this machine: install it (Debian, Ubuntu: apt install postgresql; " +
		"Fedora: dnf install postgresql-server; macOS: brew install postgresql@17), or use a database elsewhere by DB_HOST or DATABASE_URL")
}

// errOtherMajor lists the versions that are there but do not fit.
type errOtherMajor []string

func (e errOtherMajor) Error() string { return "this machine has PostgreSQL " + strings.Join(e, ", ") }

func candidates(ctx context.Context, binDir string) []string {
	if binDir != "" {
		return []string{binDir}
	}
	var dirs []string
	if out, err := output(ctx, "pg_config", "--bindir"); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	for _, p := range patterns {
		found, _ := filepath.Glob(p) // fails for malformed patterns only
		slices.SortStableFunc(found, func(a, b string) int { return cmp.Compare(number(b), number(a)) })
		dirs = append(dirs, found...)
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	return dirs
}

var (
	digits = regexp.MustCompile(`\d+(\.\d+)*`)
	says   = regexp.MustCompile(`\(PostgreSQL\) (\d+)(?:\.\d+)*\S*`)
)

// number reads the version in a path, 0 when there is none.
func number(path string) float64 {
	n, _ := strconv.ParseFloat(digits.FindString(path), 64)
	return n
}

// inspect accepts a folder that has both programs and whose server says which version it is.
func inspect(ctx context.Context, dir string) (binaries, error) {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return binaries{}, err
	}
	out, err := output(ctx, filepath.Join(dir, "postgres"), "--version")
	if err != nil {
		return binaries{}, err
	}
	m := says.FindStringSubmatch(string(out))
	if m == nil {
		return binaries{}, fmt.Errorf("%s/postgres --version answered %q", dir, out)
	}
	return binaries{dir: dir, version: strings.TrimPrefix(m[0], "(PostgreSQL) "), major: m[1]}, nil
}

func output(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = environment()
	return cmd.Output()
}

// environment has next to nothing of ours: there are secrets in it, and PG* variables would change what the server does.
func environment() []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	for _, name := range []string{"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if v, set := os.LookupEnv(name); set {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func (b binaries) path(program string) string { return filepath.Join(b.dir, program) }
