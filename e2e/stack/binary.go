package stack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/openhands-saas/openhands-saas/e2e/stack/child"
)

// BinaryOptions say what is built.
type BinaryOptions struct {
	Package string // default: ./cmd/openhands-saas of this module
	Output  string // default: a new temporary folder; the caller removes it
	Race    bool   // with the race detector, where the toolchain can
	Tags    string // build tags, as go build takes them; default: none
}

// BuildBinary builds the product's binary as `go build` does and returns its
// path. Go's own build cache makes a second build quick.
func BuildBinary(ctx context.Context, o BinaryOptions) (string, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return "", err
	}
	if o.Package == "" {
		o.Package = "./cmd/openhands-saas"
	}
	if o.Output == "" {
		dir, err := os.MkdirTemp("", "openhands-saas-bin-")
		if err != nil {
			return "", fmt.Errorf("make a folder for the binary: %w", err)
		}
		o.Output = filepath.Join(dir, "openhands-saas")
	}
	args := []string{"build", "-o", o.Output}
	if o.Race && CanRace(ctx) {
		args = append(args, "-race")
	}
	if o.Tags != "" {
		args = append(args, "-tags", o.Tags)
	}
	cmd := exec.Command("go", append(args, o.Package)...)
	cmd.Dir = root
	out := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := child.Run(ctx, cmd); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", o.Package, err, out)
	}
	return o.Output, nil
}

// CanRace says whether the race detector can be used: it needs cgo, and Go
// turns cgo off where it finds no C compiler.
func CanRace(ctx context.Context) bool {
	out, err := exec.CommandContext(ctx, "go", "env", "CGO_ENABLED").Output()
	return err == nil && strings.TrimSpace(string(out)) == "1"
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	file := strings.TrimSpace(string(out))
	if err != nil || file == "" || file == os.DevNull {
		return "", fmt.Errorf("find the checkout: run this inside it, with Go installed (go env GOMOD says %q)", file)
	}
	return filepath.Dir(file), nil
}
