package setup

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/openhands-saas/openhands-saas/e2e/stack/child"
)

// progress tells a person what takes so long.
type progress struct {
	out   io.Writer
	every time.Duration
}

func (p *progress) say(format string, args ...any) {
	fmt.Fprintf(p.out, "set-up: "+format+"\n", args...)
}

// run runs a command that may take long: it says what starts, every few
// seconds how long it has run and the last line it printed, and how it ended.
// The command's own output is shown (its end) only when it fails.
func (p *progress) run(ctx context.Context, title string, cmd *exec.Cmd) error {
	var said lines
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = 2 * time.Second
	began := time.Now()
	p.say("%s …", title)
	stop := p.tick(title, began, &said)
	err := child.Run(ctx, cmd)
	stop()
	took := time.Since(began).Round(time.Second)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%s failed after %s: %w\n%s", title, took, err, said.tail(25))
	}
	p.say("%s: done (%s)", title, took)
	return nil
}

// tick reports until the returned function is called.
func (p *progress) tick(title string, began time.Time, said *lines) (stop func()) {
	done := make(chan struct{})
	var reporter sync.WaitGroup
	reporter.Go(func() {
		ticker := time.NewTicker(p.every)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				p.say("%s … %s  %s", title, time.Since(began).Round(time.Second), said.last())
			}
		}
	})
	return func() { close(done); reporter.Wait() }
}

// lines keeps what a command printed.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) tail(count int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := strings.Split(strings.TrimRight(l.text.String(), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-count):], "\n")
}

// last is the last line, cut to what fits beside the rest of a report.
func (l *lines) last() string {
	line := []rune(strings.TrimSpace(l.tail(1)))
	if len(line) > 70 {
		return string(line[:69]) + "…"
	}
	return string(line)
}
