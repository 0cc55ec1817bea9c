package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/openhands-saas/openhands-saas/e2e/stack"
	"github.com/openhands-saas/openhands-saas/e2e/stack/setup"
)

// world is everything that runs, in the order in which it was started.
type world struct {
	env   environment
	data  string
	stops []func()
}

// run starts everything, waits for the end of the product or of ctx, and stops
// everything backwards.
func run(ctx context.Context, env environment) error {
	data, err := filepath.Abs(env.get("DATA_DIR", "data"))
	if err != nil {
		return err
	}
	w := &world{env: env, data: data}
	defer w.stop()
	summary, err := w.around(ctx)
	if err != nil {
		return err
	}
	instance, err := w.product(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("\nopenhands-saas is ready: %s\n%s\n", w.env.get("PUBLIC_URL", "http://localhost:"+w.env["PORT"]), summary)
	select {
	case <-ctx.Done():
		fmt.Println("\nrun: stopping")
		return nil
	case <-instance.Done():
		return fmt.Errorf("the product ended by itself, status %d; its last lines above say why", instance.ExitCode())
	}
}

func (w *world) stop() {
	for i := len(w.stops) - 1; i >= 0; i-- {
		w.stops[i]()
	}
}

// around sets up and starts what the product needs and the environment does
// not name already.
func (w *world) around(ctx context.Context) (summary string, err error) {
	ownUpstream := !w.env.has("UPSTREAM_URL")
	paths, err := setup.Ensure(ctx, setup.Options{
		Upstream: ownUpstream,
		Canvas:   !w.env.has("FRONTEND_DIR") && w.env.get("SERVE_FRONTEND", "true") == "true",
		Postgres: !w.env.has("DB_HOST") && !w.env.has("DATABASE_URL"),
		Mailpit:  !w.env.has("SMTP_URL"),
	})
	if err != nil {
		return "", err
	}
	// Postgres may drop to another account, which has to reach its own folder.
	if err := os.MkdirAll(w.data, 0o711); err != nil {
		return "", fmt.Errorf("make the data folder: %w; set DATA_DIR to another one", err)
	}
	w.env.suggest("FRONTEND_DIR", paths.Canvas)
	w.env.suggest("REGISTRATION", "open")
	w.env.suggest("HOST", "127.0.0.1")
	w.env.suggest("PORT", "3001")
	w.env.suggest("DATA_DIR", w.data)
	summary = fmt.Sprintf("  upstream  %s (yours)\n", w.env.get("UPSTREAM_URL", ""))
	if ownUpstream {
		if summary, err = w.upstream(ctx, paths.AgentServer); err != nil {
			return "", err
		}
	}
	mail, err := w.mail(ctx, paths.Mailpit)
	if err != nil {
		return "", err
	}
	model, err := w.model()
	return summary + "  data      " + w.data + "\n" + mail + model + "  stop      Ctrl-C", err
}

func (w *world) upstream(ctx context.Context, program string) (summary string, err error) {
	fmt.Println("run: starting the upstream agent-server (some ten seconds)")
	u, err := stack.StartUpstream(ctx, stack.UpstreamOptions{
		AgentServer: program,
		DataDir:     filepath.Join(w.data, "upstream"),
		Workspaces:  filepath.Join(w.data, "workspaces"),
	})
	if err != nil {
		return "", err
	}
	w.stops = append(w.stops, u.Stop)
	w.env["UPSTREAM_URL"] = u.URL()
	w.env["UPSTREAM_API_KEY_FILE"] = u.KeyFile()
	w.env["UPSTREAM_WORKSPACE_ROOT"] = u.Workspaces()
	return fmt.Sprintf("  upstream  OpenHands agent-server %s at %s, log %s\n", u.Version(), u.URL(), u.LogFile()), nil
}

// product builds the product and starts it in the user's own environment,
// completed by what was started around it.
func (w *world) product(ctx context.Context) (*stack.Instance, error) {
	fmt.Println("run: building the product (the first time takes a minute)")
	binary, err := stack.BuildBinary(ctx, stack.BinaryOptions{Output: filepath.Join("bin", "openhands-saas")})
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(w.env["PORT"])
	if err != nil {
		return nil, fmt.Errorf("PORT is %q; it must be a number", w.env["PORT"])
	}
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return nil, err
	}
	instance, err := stack.LaunchInstance(ctx, stack.InstanceOptions{
		Binary: binary, DataDir: w.data, Dir: here, Port: port, Env: w.env, Output: os.Stdout, Patience: 3 * time.Minute,
	})
	if err != nil {
		return nil, err
	}
	w.stops = append(w.stops, instance.Stop)
	return instance, instance.WaitReady(ctx)
}
