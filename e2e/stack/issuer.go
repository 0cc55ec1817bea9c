package stack

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/openhands-saas/openhands-saas/e2e/stack/child"
)

//go:embed issuer.mjs
var issuerProgram []byte

// IssuerOptions say how an issuer of OpenID Connect is started.
type IssuerOptions struct {
	Node     string                    // the folder with its modules, as setup.Ensure found it
	DataDir  string                    // its files
	Host     string                    // a loopback address; browsers keep cookies by host. Default: 127.0.0.1
	Port     int                       // as FreePort found it, so that it can be named before it runs
	Redirect string                    // where it may send people back
	Accounts map[string]map[string]any // what it says of whom, by subject
	Userinfo bool                      // the ID token says only who it is, and the userinfo endpoint the rest
	Post     bool                      // the client sends its secret in the body
}

// The client that every issuer knows.
const (
	IssuerClientID     = "openhands"
	IssuerClientSecret = "a-secret-of-the-client/with+signs%and:more"
)

// Issuer is a running issuer.
type Issuer struct {
	options IssuerOptions
	process *child.Process
}

// FreePort is a port that nobody uses at this moment.
func FreePort() (int, error) { return freePort() }

// IssuerURL is the name of an issuer that will run there.
func IssuerURL(host string, port int) string {
	return "http://" + net.JoinHostPort(cmp.Or(host, "127.0.0.1"), strconv.Itoa(port))
}

// StartIssuer returns when the issuer answers.
func StartIssuer(ctx context.Context, o IssuerOptions) (*Issuer, error) {
	o.Host = cmp.Or(o.Host, "127.0.0.1")
	i := &Issuer{options: o}
	settings, err := i.write()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(o.DataDir, "issuer.log"))
	if err != nil {
		return nil, fmt.Errorf("open the issuer's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command("node", filepath.Join(o.DataDir, "issuer.mjs"), settings)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + o.DataDir}
	cmd.Stdout, cmd.Stderr = log, log
	if i.process, err = child.Start(cmd, syscall.SIGKILL); err != nil {
		return nil, err
	}
	if err := i.waitReady(ctx); err != nil {
		i.Stop()
		said, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("start the issuer: %w; it said:\n%s", err, tail(string(said), 30))
	}
	return i, nil
}

// URL is the issuer's name.
func (i *Issuer) URL() string { return IssuerURL(i.options.Host, i.options.Port) }

// Say sets what the issuer says of whom from now on.
func (i *Issuer) Say(accounts map[string]map[string]any) error {
	text, err := json.Marshal(accounts)
	if err != nil {
		return err
	}
	aside := i.path("accounts.new")
	if err := os.WriteFile(aside, text, 0o600); err != nil {
		return fmt.Errorf("write the issuer's accounts: %w", err)
	}
	return os.Rename(aside, i.path("accounts.json"))
}

// Stop ends it.
func (i *Issuer) Stop() { i.process.Stop(2 * time.Second) }

func (i *Issuer) path(name string) string { return filepath.Join(i.options.DataDir, name) }

// write puts the program and its settings into the data folder, and returns where the settings are.
func (i *Issuer) write() (string, error) {
	if err := os.MkdirAll(i.options.DataDir, 0o700); err != nil {
		return "", fmt.Errorf("make the issuer's folder: %w", err)
	}
	method := "client_secret_basic"
	if i.options.Post {
		method = "client_secret_post"
	}
	settings, err := json.Marshal(map[string]any{
		"issuer": i.URL(), "host": i.options.Host, "port": i.options.Port, "modules": i.options.Node, "accounts": i.path("accounts.json"),
		"clientID": IssuerClientID, "clientSecret": IssuerClientSecret, "redirects": []string{i.options.Redirect}, "method": method,
		"userinfo": i.options.Userinfo,
	})
	if err != nil {
		return "", err
	}
	if err := i.Say(i.options.Accounts); err != nil {
		return "", err
	}
	for name, content := range map[string][]byte{"issuer.mjs": issuerProgram, "settings.json": settings} {
		if err := os.WriteFile(i.path(name), content, 0o600); err != nil {
			return "", fmt.Errorf("write the issuer's %s: %w", name, err)
		}
	}
	return i.path("settings.json"), nil
}

func (i *Issuer) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	for !i.ready(ctx) {
		select {
		case <-i.process.Done():
			return fmt.Errorf("it ended with status %d", i.process.ExitCode())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollEvery):
		}
	}
	return nil
}

func (i *Issuer) ready(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, i.URL()+"/.well-known/openid-configuration", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}
