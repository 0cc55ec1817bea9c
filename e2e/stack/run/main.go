// Command run is `make run`: one command from a fresh checkout to the product
// with everything around it, and one Ctrl-C back to nothing.
//
// It owns the order: set up, start the upstream (and the scripted model for
// DEMO=1), build and run the product, stop all of it backwards. It decides no
// setting that the environment already holds.
//
// With the argument "setup" it only sets up; "setup -tests" adds what the
// tests need.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/openhands-saas/openhands-saas/e2e/stack/setup"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// A second Ctrl-C ends us at once; what we started ends with us even then.
	context.AfterFunc(ctx, stop)
	if err := dispatch(ctx, os.Args[1:]); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "run:", err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return run(ctx, environ())
	}
	flags := flag.NewFlagSet("run setup", flag.ContinueOnError)
	tests := flags.Bool("tests", false, "also what the tests need")
	if args[0] != "setup" {
		return fmt.Errorf("unknown argument %q; give none, or setup [-tests]", args[0])
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	began := time.Now()
	paths, err := setup.Ensure(ctx, setup.Options{Upstream: true, Canvas: true, Postgres: true, Mailpit: true, Chromium: *tests, Node: *tests})
	if err != nil {
		return err
	}
	fmt.Printf("set-up: complete in %s (%s)\n", time.Since(began).Round(time.Millisecond), paths.Cache)
	return nil
}
