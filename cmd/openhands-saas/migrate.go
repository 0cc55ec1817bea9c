package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
)

func migrateCommand() *cobra.Command {
	steps := 1
	down := migration("down", "Take back the newest migrations; what they made is lost", &steps)
	down.Flags().IntVar(&steps, "steps", 1, "how many to take back")
	return group("migrate", "Change the database's schema; serve does `up` by itself",
		migration("up", "Apply all that are missing", new(int)), down, migration("status", "Say which are applied", new(int)))
}

func migration(direction, short string, steps *int) *cobra.Command {
	cmd := &cobra.Command{Use: direction, Short: short, Args: cobra.NoArgs}
	s := addSettings(cmd, false)
	cmd.RunE = func(*cobra.Command, []string) error {
		if direction == "down" && *steps < 1 {
			return errors.New("--steps: write 1 or more")
		}
		return s.withTools(config.ForDatabase, func(ctx context.Context, tools *app.Tools, out io.Writer) error {
			return tools.Migrate(ctx, direction, *steps, out)
		})
	}
	return cmd
}
