package setup

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// constraints pin every package with which this version of the upstream was
// observed to work; without them pip takes newer ones that do not belong to it.
//
//go:embed constraints-1.49.1.txt
var constraints []byte

// stamp is written last into an environment: without it, it is not whole.
const stamp = ".complete"

// upstream provides the agent-server and returns the path of its program. An
// environment cannot be moved (its scripts name its path), so it is made in
// place and stamped, and an unstamped one is made anew.
func (m *maker) upstream(ctx context.Context) (string, error) {
	sum := sha256.Sum256(constraints)
	name := fmt.Sprintf("upstream-%s-%x", UpstreamVersion, sum[:4])
	dir := filepath.Join(m.cache, name)
	program := filepath.Join(dir, "bin", "agent-server")
	whole := func() bool { return exist(filepath.Join(dir, stamp), filepath.Join(dir, "bin", "python"), program) }
	return program, m.once(ctx, name, whole, func() error { return m.makeUpstream(ctx, dir) })
}

func (m *maker) makeUpstream(ctx context.Context, dir string) error {
	python, err := FindPython(ctx, PythonCandidates())
	if err != nil {
		return err
	}
	if err := removeEnvironment(dir); err != nil {
		return err
	}
	title := "Python environment (" + python + ")"
	if err := m.progress.run(ctx, title, exec.Command(python, "-m", "venv", dir)); err != nil {
		return err
	}
	pins := filepath.Join(dir, "constraints.txt")
	if err := os.WriteFile(pins, constraints, 0o644); err != nil {
		return fmt.Errorf("write the constraints: %w", err)
	}
	title = "agent-server " + UpstreamVersion + " (pip: a minute, 0.5 GB)"
	if err := m.progress.run(ctx, title, pipInstall(dir, pins)); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, stamp), nil, 0o644)
}

func pipInstall(dir, pins string) *exec.Cmd {
	args := []string{"-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off", "-c", pins}
	for _, name := range []string{"agent-server", "sdk", "tools", "workspace"} {
		args = append(args, "openhands-"+name+"=="+UpstreamVersion)
	}
	return exec.Command(filepath.Join(dir, "bin", "python"), args...)
}

// removeEnvironment removes the stamp first: a removal that is cut short must
// not leave half an environment that says it is whole.
func removeEnvironment(dir string) error {
	if err := os.Remove(filepath.Join(dir, stamp)); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("remove an old environment: %w", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove an old environment: %w", err)
	}
	return nil
}

func exist(paths ...string) bool {
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			return false
		}
	}
	return true
}
