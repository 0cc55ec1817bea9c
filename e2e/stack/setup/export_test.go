package setup

import (
	"context"
	"io"
	"os/exec"
	"time"
)

// Stamp is the file that marks an environment as whole.
const Stamp = stamp

// RemoveEnvironment is removeEnvironment.
func RemoveEnvironment(dir string) error { return removeEnvironment(dir) }

// Run is progress.run with a report every so often.
func Run(ctx context.Context, out io.Writer, every time.Duration, title string, cmd *exec.Cmd) error {
	return (&progress{out: out, every: every}).run(ctx, title, cmd)
}

// Once is maker.once in the given cache.
func Once(ctx context.Context, out io.Writer, cache, name string, whole func() bool, make func() error) error {
	return (&maker{cache: cache, progress: &progress{out: out}}).once(ctx, name, whole, make)
}
