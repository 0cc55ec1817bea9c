package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
)

func userImportCommand() *cobra.Command {
	var o app.UserImport
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Take accounts with their passwords from another program, as CSV or JSON",
		Long: "Take accounts with their passwords from another program, as CSV or JSON.\n\n" +
			"The columns of a CSV file, or the members of the objects in a JSON list, are email, name, password_hash (or hashed_password), is_active (true without it), " +
			"is_superuser, is_verified (false without them) and created_at. A hash is argon2id in the PHC form or bcrypt ($2a$, $2b$, $2y$), as FastAPI-Users and pwdlib make them; " +
			"it is made anew when its owner first signs in. Without one the account has no password: openhands-saas user setup-link lets its owner choose one.\n\n" +
			"It is all or nothing: when anything is wrong, nothing is changed, and each problem is named with its line.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one file, .csv or .json")
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.DryRun, "dry-run", false, "say what is wrong or would happen, and change nothing")
	flags.StringVar(&o.Format, "format", "", "csv or json (default by the file's name)")
	flags.StringArrayVar(&o.Ignore, "ignore", nil, "leave out a column (may be repeated)")
	s := addSettings(cmd, false)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		o.File = args[0]
		return s.withTools(config.ForDatabase, func(ctx context.Context, tools *app.Tools, out io.Writer) error {
			return tools.ImportUsers(ctx, o, out)
		})
	}
	return cmd
}
