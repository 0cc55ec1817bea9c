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

// The packages of npm that the end-to-end tests run, pinned with all that they need.
var (
	//go:embed node/package.json
	nodePackages []byte
	//go:embed node/package-lock.json
	nodeLock []byte
)

// node provides programs of others that run on Node, and returns the folder whose node_modules holds them. No script of theirs runs
// while they are installed.
func (m *maker) node(ctx context.Context) (string, error) {
	sum := sha256.Sum256(append(nodePackages, nodeLock...))
	name := fmt.Sprintf("node-%x", sum[:4])
	dir := filepath.Join(m.cache, name)
	return dir, m.once(ctx, name, func() bool { return exist(filepath.Join(dir, stamp)) }, func() error { return m.makeNode(ctx, dir) })
}

func (m *maker) makeNode(ctx context.Context, dir string) error {
	if err := removeEnvironment(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make a folder for packages of npm: %w", err)
	}
	for name, content := range map[string][]byte{"package.json": nodePackages, "package-lock.json": nodeLock} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return fmt.Errorf("write what npm is to install: %w", err)
		}
	}
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
	cmd.Dir = dir
	if err := m.progress.run(ctx, "TypeScript client and OpenID Connect issuer (npm ci)", cmd); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, stamp), nil, 0o644)
}
