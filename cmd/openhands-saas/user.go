package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
)

func userCommand() *cobra.Command {
	return group("user", "Make accounts", userCreateCommand())
}

func userCreateCommand() *cobra.Command {
	var user app.NewUser
	var passwordFile string
	cmd := &cobra.Command{
		Use:   "create --email ADDRESS",
		Short: "Make an account, whatever the registration mode",
		Long:  "Make an account, whatever the registration mode.\n\nThe password is asked for, or read from standard input (one line) or from --password-file: never from the command line.",
		Args:  cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&user.Email, "email", "", "the account's address")
	flags.BoolVar(&user.Admin, "admin", false, "make it an administrator of the installation")
	flags.StringVar(&user.Name, "name", "", "the person's name")
	flags.StringVar(&user.Team, "team", "", "name of the personal team")
	flags.StringVar(&passwordFile, "password-file", "", "file that holds the password")
	_ = cmd.MarkFlagRequired("email")
	s := addSettings(cmd, false)
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if user.Password, err = readPassword(cmd, passwordFile); err != nil {
			return err
		}
		return s.withTools(config.ForDatabase, func(ctx context.Context, tools *app.Tools, out io.Writer) error {
			return createUser(ctx, tools, user, out)
		})
	}
	return cmd
}

func createUser(ctx context.Context, tools *app.Tools, user app.NewUser, out io.Writer) error {
	made, err := tools.CreateUser(ctx, user)
	if err != nil {
		return fmt.Errorf("create the account: %w", err)
	}
	kind := "user"
	if made.IsSuperuser {
		kind = "administrator"
	}
	_, err = fmt.Fprintf(out, "created %s %s (%s)\n", kind, made.Email, made.ID)
	return err
}
