// Package setup brings a fresh machine to the point where the product and its
// tests can run: the upstream in a Python environment, the Canvas UI, and the
// few programs that come from the system.
//
// It owns a cache folder outside the checkout, keyed by versions, so a fresh
// clone pays nothing again. It never skips a part silently: what it cannot
// provide is an error that names the command to give.
//
// The key idea: every part is either whole or absent. A part is made aside (or
// stamped when whole) under a file lock, so a killed set-up leaves nothing
// half-made and two at once do the work once. A part that is there is found by
// a handful of file lookups.
package setup

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Versions of what is fetched.
const (
	UpstreamVersion = "1.49.1"
	CanvasVersion   = "1.20.0"
	MonacoVersion   = "0.55.1" // the one that this version of the UI names
	MailpitVersion  = "1.33.1"
)

// Options say which parts are needed.
type Options struct {
	Upstream bool // the agent-server in a Python environment, with tmux and git
	Canvas   bool // the built UI
	Postgres bool // server binaries of the system
	Chromium bool // a browser, for tests only
	Mailpit  bool // an SMTP server with an inbox
	Node     bool // clients and issuers that run on Node, for tests only

	Cache string    // default: CacheDir()
	Out   io.Writer // progress; default: os.Stderr
}

// Paths tell where the parts are. Those not asked for are empty.
type Paths struct {
	Cache       string // the cache folder
	AgentServer string // the upstream's program
	Canvas      string // the folder with index.html
	Chromium    string // the browser's program
	Mailpit     string // the program
	Node        string // the folder whose node_modules holds what runs on Node
}

// Ensure provides all parts that o asks for and returns where they are.
func Ensure(ctx context.Context, o Options) (Paths, error) {
	if o.Out == nil {
		o.Out = os.Stderr
	}
	cache, err := cacheOr(o.Cache)
	if err != nil {
		return Paths{}, err
	}
	m := &maker{cache: cache, progress: &progress{out: o.Out, every: 5 * time.Second}}
	paths := Paths{Cache: cache}
	if err := m.system(ctx, o, &paths); err != nil {
		return paths, err
	}
	if o.Upstream {
		if paths.AgentServer, err = m.upstream(ctx); err != nil {
			return paths, err
		}
	}
	if o.Node {
		if paths.Node, err = m.node(ctx); err != nil {
			return paths, err
		}
	}
	if o.Canvas {
		if paths.Canvas, err = m.canvas(ctx); err != nil {
			return paths, err
		}
	}
	if o.Mailpit {
		if paths.Mailpit, err = m.mailpit(ctx); err != nil {
			return paths, err
		}
	}
	return paths, nil
}

// CacheDir is the folder in which set-ups are kept:
// $XDG_CACHE_HOME/openhands-saas, by default ~/.cache/openhands-saas.
func CacheDir() (string, error) {
	if base := os.Getenv("XDG_CACHE_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "openhands-saas"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find a cache folder: %w; set XDG_CACHE_HOME or HOME", err)
	}
	return filepath.Join(home, ".cache", "openhands-saas"), nil
}

func cacheOr(given string) (string, error) {
	if given == "" {
		return CacheDir()
	}
	return filepath.Abs(given)
}

// maker makes the parts of one set-up.
type maker struct {
	cache    string
	progress *progress
}

// once runs make under the part's lock unless the part is whole already. Other
// set-ups that want the same part wait for it.
func (m *maker) once(ctx context.Context, name string, whole func() bool, make func() error) error {
	if whole() {
		return nil
	}
	if err := os.MkdirAll(m.cache, 0o755); err != nil {
		return fmt.Errorf("make the cache folder: %w; set XDG_CACHE_HOME to a folder that can be written", err)
	}
	unlock, err := lock(ctx, filepath.Join(m.cache, name+".lock"), func() {
		m.progress.say("%s: waiting for another set-up that is making it", name)
	})
	if err != nil {
		return err
	}
	defer unlock()
	if whole() {
		return nil
	}
	return make()
}
