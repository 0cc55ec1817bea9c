package main

import (
	"context"
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
)

func userPasswordCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "set-password ADDRESS-OR-ID",
		Short: "Set a user's password, and sign them out everywhere",
		Long:  "Set a user's password, and sign them out everywhere.\n\nIt is asked for, or read from standard input (one line) or from --password-file: never from the command line.",
		Args:  oneUser,
	}
	cmd.Flags().StringVar(&file, "password-file", "", "file that holds the password")
	s := addSettings(cmd, false)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		password, err := readPassword(cmd, file)
		if err != nil {
			return err
		}
		return change(s, args[0], "set the password of", func(s *auth.Service, ctx context.Context, by auth.Actor, id uuid.UUID) (auth.User, error) {
			return s.SetPassword(ctx, by, id, password)
		})
	}
	return cmd
}

func userEmailCommand() *cobra.Command {
	var email string
	cmd := &cobra.Command{
		Use:   "set-email ADDRESS-OR-ID --to ADDRESS",
		Short: "Move an account to another address, which is unverified then",
		Args:  oneUser,
	}
	cmd.Flags().StringVar(&email, "to", "", "the new address")
	_ = cmd.MarkFlagRequired("to")
	s := addSettings(cmd, false)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		return change(s, args[0], "moved to", func(s *auth.Service, ctx context.Context, by auth.Actor, id uuid.UUID) (auth.User, error) {
			return s.SetEmail(ctx, by, id, email)
		})
	}
	return cmd
}

// change does something to a user, and says so.
func change(s *settings, who, done string, act app.UserAct) error {
	return s.withTools(config.ForDatabase, func(ctx context.Context, tools *app.Tools, out io.Writer) error {
		user, err := tools.ChangeUser(ctx, who, act)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s %s (%s)\n", done, user.Email, user.ID)
		return err
	})
}
