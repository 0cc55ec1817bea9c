package stack

import (
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed launcher.py
var launcher []byte

// longestTmux is how long the folder of tmux's socket may be: the path of a
// Unix socket holds 107 bytes, and tmux adds a folder and a name of its own.
const longestTmux = 80

// layout is where one upstream keeps everything, all of it its own.
type layout struct {
	root       string // the data folder
	workspaces string // what agents work on; holds nothing else
	tmux       string
	tmuxAside  bool // tmux has a temporary folder, because root's path is long
}

func newLayout(root, workspaces string) (*layout, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	if workspaces == "" {
		workspaces = filepath.Join(root, "workspaces")
	}
	l := &layout{root: root, workspaces: workspaces, tmux: filepath.Join(root, "tmux")}
	for _, dir := range []string{root, l.path("home"), l.path("run"), l.path("conversations"), l.path("persistence"),
		l.path("bash"), l.path("worktrees"), l.workspaces, l.tmux} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make a folder of the upstream: %w", err)
		}
	}
	if err := os.WriteFile(l.path("launcher.py"), launcher, 0o600); err != nil {
		return nil, fmt.Errorf("write the upstream's launcher: %w", err)
	}
	l.endTmux()
	return l, l.shortenTmux()
}

func (l *layout) shortenTmux() (err error) {
	if len(l.tmux) <= longestTmux {
		return nil
	}
	l.tmux, err = os.MkdirTemp("", "openhands-tmux-")
	l.tmuxAside = true
	return err
}

func (l *layout) path(name string) string { return filepath.Join(l.root, name) }

// endTmux ends terminal multiplexers that an earlier server left behind: where
// the launcher was killed too, or cannot adopt orphans (only Linux can).
func (l *layout) endTmux() {
	sockets, _ := filepath.Glob(filepath.Join(l.tmux, "tmux-*", "*"))
	for _, socket := range sockets {
		_ = exec.Command("tmux", "-S", socket, "kill-server").Run()
		_ = os.Remove(socket)
	}
}

// remove removes what must not stay after the upstream ended.
func (l *layout) remove() {
	l.endTmux()
	_ = os.Remove(l.path("config.json"))
	_ = os.Remove(l.path("server.pid"))
	if l.tmuxAside {
		_ = os.RemoveAll(l.tmux)
	}
}

// environment is all that the upstream gets to see: no provider's key of the
// caller, every folder absolute and its own. The keys are not here, because
// the agents' terminals inherit the environment.
func (l *layout) environment() []string {
	env := []string{
		"HOME=" + l.path("home"),
		"LANG=C.UTF-8",
		"LITELLM_LOCAL_MODEL_COST_MAP=True",
		"LOG_RICH_TRACEBACKS=false", // drawing one stops it for seconds
		"OPENHANDS_AGENT_SERVER_CONFIG_PATH=" + l.path("config.json"),
		"OH_CONVERSATIONS_PATH=" + l.path("conversations"),
		"OH_PERSISTENCE_DIR=" + l.path("persistence"),
		"OH_BASH_EVENTS_DIR=" + l.path("bash"),
		"OH_BASH_EVENTS_RETENTION_SECONDS=604800",
		"OH_CONVERSATION_WORKTREE_ROOT=" + l.path("worktrees"),
		"OH_WORKSPACE_PATH=" + l.workspaces,
		"OH_ENABLE_VSCODE=false",
		"TMUX_TMPDIR=" + l.tmux,
		// git looks for a repository upwards: not beyond the workspaces.
		"GIT_CEILING_DIRECTORIES=" + l.workspaces,
	}
	for _, name := range []string{"PATH", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"} {
		if value, set := os.LookupEnv(name); set {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// secret returns the random secret kept in the named file, made at first use.
func (l *layout) secret(name string) (string, error) {
	kept, err := os.ReadFile(l.path(name))
	if err == nil && len(strings.TrimSpace(string(kept))) > 0 {
		return strings.TrimSpace(string(kept)), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read a key of the upstream: %w", err)
	}
	made := rand.Text() + rand.Text()
	if err := os.WriteFile(l.path(name), []byte(made+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep a key of the upstream: %w", err)
	}
	return made, nil
}

// writeConfig hands the keys to the server, which reads the file at its start
// only; it is removed as soon as the server is ready.
func (l *layout) writeConfig(key, secret string) error {
	config, err := json.Marshal(map[string]any{"session_api_keys": []string{key}, "secret_key": secret})
	if err != nil {
		return err
	}
	if err := os.WriteFile(l.path("config.json"), config, 0o600); err != nil {
		return fmt.Errorf("write the upstream's configuration: %w", err)
	}
	return nil
}
