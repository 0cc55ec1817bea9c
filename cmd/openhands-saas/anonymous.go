package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
)

func anonymousCommand() *cobra.Command {
	return group("anonymous", "What those without credentials may do; a change reaches running servers within two seconds",
		anonymousSet("on", "Let them work as the team \"Anonymous\"", true),
		anonymousSet("off", "Send them to the login page and end their connections", false),
		anonymousStatus())
}

func anonymousSet(use, short string, on bool) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs}
	s := addSettings(cmd, false)
	cmd.RunE = func(*cobra.Command, []string) error {
		return s.withTools(config.ForDatabase, func(ctx context.Context, tools *app.Tools, out io.Writer) error {
			if err := tools.SetAnonymous(ctx, on); err != nil {
				return fmt.Errorf("turn anonymous mode %s: %w", use, err)
			}
			_, err := fmt.Fprintf(out, "anonymous mode is %s\n", use)
			return err
		})
	}
	return cmd
}

func anonymousStatus() *cobra.Command {
	cmd := &cobra.Command{Use: "status", Short: "Say whether it is on, and what decided so", Args: cobra.NoArgs}
	s := addSettings(cmd, false)
	cmd.RunE = func(*cobra.Command, []string) error {
		return s.withTools(config.ForDatabase, func(ctx context.Context, tools *app.Tools, out io.Writer) error {
			on, source, err := tools.Anonymous(ctx)
			if err != nil {
				return fmt.Errorf("read anonymous mode: %w", err)
			}
			_, err = fmt.Fprintln(out, status(on, source))
			return err
		})
	}
	return cmd
}

func status(on bool, source string) string {
	word := "off"
	if on {
		word = "on"
	}
	if source == "kept" {
		return "anonymous mode is " + word + " (set at run time; it wins over ANONYMOUS_MODE)"
	}
	return "anonymous mode is " + word + " (from ANONYMOUS_MODE)"
}
