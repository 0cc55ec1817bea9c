package setup

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// mailpit provides the SMTP server with an inbox and returns its program. It is built from its Go module, whose sum Go checks. The
// module holds no built pages: what people look at is stack.Inbox's.
func (m *maker) mailpit(ctx context.Context) (string, error) {
	name := "mailpit-" + MailpitVersion
	program := filepath.Join(m.cache, name)
	return program, m.once(ctx, name, func() bool { return exist(program) }, func() error { return m.makeMailpit(ctx, program) })
}

// makeMailpit builds aside, and moves what is whole.
func (m *maker) makeMailpit(ctx context.Context, program string) error {
	if err := removeLeftovers(program, program); err != nil {
		return err
	}
	aside, err := os.MkdirTemp(m.cache, filepath.Base(program)+asideMark)
	if err != nil {
		return fmt.Errorf("make a folder for Mailpit: %w", err)
	}
	defer func() { _ = os.RemoveAll(aside) }()
	cmd := exec.Command("go", "install", "github.com/axllent/mailpit@v"+MailpitVersion)
	cmd.Dir = aside // outside of any module
	cmd.Env = append(os.Environ(), "GOBIN="+aside, "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	if err := m.progress.run(ctx, "Mailpit "+MailpitVersion+" (go install)", cmd); err != nil {
		return err
	}
	return os.Rename(filepath.Join(aside, "mailpit"), program)
}
