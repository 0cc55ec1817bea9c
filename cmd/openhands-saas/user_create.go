package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
)

func userCreateCommand() *cobra.Command {
	var user app.NewUser
	var passwordFile string
	var open bool
	cmd := &cobra.Command{
		Use:   "create --email ADDRESS",
		Short: "Make an account, whatever the registration mode",
		Long: "Make an account, whatever the registration mode.\n\nThe password is asked for, or read from standard input (one line) or from --password-file: never from the command line. " +
			"With --setup-link there is none: the person chooses it by a one-time link, which is printed.",
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&user.Email, "email", "", "the account's address")
	flags.BoolVar(&user.Admin, "admin", false, "make it an administrator of the installation")
	flags.StringVar(&user.Name, "name", "", "the person's name")
	flags.StringVar(&user.Team, "team", "", "name of the personal team")
	flags.StringVar(&passwordFile, "password-file", "", "file that holds the password")
	flags.BoolVar(&open, "setup-link", false, "without a password: print a one-time link by which the person chooses one")
	_ = cmd.MarkFlagRequired("email")
	s := addSettings(cmd, false)
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if open && passwordFile != "" {
			return errors.New("choose one of --setup-link and --password-file")
		}
		if !open {
			if user.Password, err = readPassword(cmd, passwordFile); err != nil {
				return err
			}
		}
		return s.withTools(config.ForDatabase, func(ctx context.Context, tools *app.Tools, out io.Writer) error {
			return createUser(ctx, tools, user, open, out)
		})
	}
	return cmd
}

func createUser(ctx context.Context, tools *app.Tools, user app.NewUser, open bool, out io.Writer) error {
	made, link, err := tools.MakeUser(ctx, user, open)
	if err != nil {
		return fmt.Errorf("create the account: %w", err)
	}
	kind := "user"
	if made.IsSuperuser {
		kind = "administrator"
	}
	if _, err := fmt.Fprintf(out, "created %s %s (%s)\n", kind, made.Email, made.ID); err != nil || link == nil {
		return err
	}
	return printLink(out, link)
}
