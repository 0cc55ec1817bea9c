package setup

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// probe prints the version and whether virtual environments can be made: some
// systems split what is needed for them into a package of its own.
const probe = `import sys
print("%d.%d" % sys.version_info[:2])
try:
    import venv, ensurepip
    print("venv")
except ImportError:
    print("bare")`

// PythonCandidates lists what may be a Python new enough for the upstream, the
// preferred first: by name on the PATH, then the versions that pyenv keeps.
func PythonCandidates() []string {
	found := []string{"python3.13", "python3.12", "python3"}
	roots := []string{os.Getenv("PYENV_ROOT")}
	if home, err := os.UserHomeDir(); err == nil {
		roots = append(roots, filepath.Join(home, ".pyenv"))
	}
	for _, root := range roots {
		if root == "" {
			continue
		}
		kept, _ := filepath.Glob(filepath.Join(root, "versions", "3.1[23]*", "bin", "python"))
		slices.Reverse(kept)
		found = append(found, kept...)
	}
	return found
}

// FindPython returns the first candidate that, when it is actually run, proves
// to be Python 3.12 or newer and able to make virtual environments. A name on
// the PATH proves nothing: it may be a shim that only prints an error.
func FindPython(ctx context.Context, candidates []string) (string, error) {
	var bare []string
	for _, candidate := range candidates {
		version, complete := probePython(ctx, candidate)
		switch {
		case version == "":
		case complete:
			return exec.LookPath(candidate)
		default:
			bare = append(bare, "python"+version)
		}
	}
	if len(bare) > 0 {
		return "", fmt.Errorf("%s is here, but without its venv module, which the upstream's set-up needs; "+
			"on Debian or Ubuntu: sudo apt-get install -y %s-venv", bare[0], bare[0])
	}
	return "", fmt.Errorf("the upstream needs Python 3.12 or newer, and none of %s is that; "+
		"install it (Debian 13, Ubuntu 24.04 and later: sudo apt-get install -y python3 python3-venv; "+
		"elsewhere: pyenv install 3.12) and start again", strings.Join(candidates, ", "))
}

// probePython returns "" for anything that is not Python ≥ 3.12.
func probePython(ctx context.Context, candidate string) (version string, complete bool) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, candidate, "-c", probe).Output()
	words := strings.Fields(string(out))
	if err != nil || len(words) != 2 || !newEnough(words[0]) {
		return "", false
	}
	return words[0], words[1] == "venv"
}

func newEnough(version string) bool {
	major, minor, _ := strings.Cut(version, ".")
	number, err := strconv.Atoi(minor)
	return err == nil && major == "3" && number >= 12
}
