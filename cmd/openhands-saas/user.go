package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
)

func userCommand() *cobra.Command {
	return group("user", "Make, list and change accounts; a change reaches running servers within two seconds",
		userCreateCommand(), userListCommand(), userShowCommand(),
		userAct("suspend", "Keep a user out: sessions and API keys end for good", "suspended", (*auth.Service).Suspend),
		userAct("reactivate", "Let a suspended user sign in again", "reactivated", (*auth.Service).Reactivate),
		userAct("verify", "Say that the address is the user's, where there is no mail", "verified", (*auth.Service).MarkVerified),
		userAct("grant-admin", "Make a user an administrator of the installation", "is an administrator now:", superuser(true)),
		userAct("revoke-admin", "Make an administrator an ordinary user; the last one stays", "is no administrator any more:", superuser(false)),
		userPasswordCommand(), userEmailCommand(), userSetupLinkCommand(), userFactorCommand(),
		group("sessions", "What users are signed in with", userEndSessionsCommand()),
		userDeleteCommand(), userImportCommand())
}

func superuser(granted bool) app.UserAct {
	return func(s *auth.Service, ctx context.Context, by auth.Actor, id uuid.UUID) (auth.User, error) {
		return s.SetSuperuser(ctx, by, id, granted)
	}
}

// userDo makes a command about one user, who is named by address or id.
func userDo(use, short string, run func(ctx context.Context, tools *app.Tools, who string, out io.Writer) error) *cobra.Command {
	cmd := &cobra.Command{Use: use + " ADDRESS-OR-ID", Short: short, Args: oneUser}
	s := addSettings(cmd, false)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		return s.withTools(config.ForDatabase, func(ctx context.Context, tools *app.Tools, out io.Writer) error {
			return run(ctx, tools, args[0], out)
		})
	}
	return cmd
}

func oneUser(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return errors.New("name one user, by address or id")
	}
	return nil
}

func userAct(use, short, done string, act app.UserAct) *cobra.Command {
	return userDo(use, short, func(ctx context.Context, tools *app.Tools, who string, out io.Writer) error {
		user, err := tools.ChangeUser(ctx, who, act)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s %s (%s)\n", done, user.Email, user.ID)
		return err
	})
}

func userShowCommand() *cobra.Command {
	return userDo("show", "Show an account with its teams", func(ctx context.Context, tools *app.Tools, who string, out io.Writer) error {
		return tools.ShowUser(ctx, who, out)
	})
}

func userSetupLinkCommand() *cobra.Command {
	return userDo("setup-link", "Print a one-time link by which a user chooses a password; it is for that person alone",
		func(ctx context.Context, tools *app.Tools, who string, out io.Writer) error {
			link, err := tools.SetupLink(ctx, who)
			if err != nil {
				return err
			}
			return printLink(out, link)
		})
}

func printLink(out io.Writer, link *auth.SetupURL) error {
	_, err := fmt.Fprintf(out, "good once, until %s: %s\n", link.Expires.Format("2006-01-02 15:04 MST"), app.CompleteLink(link.Link))
	return err
}

func userFactorCommand() *cobra.Command {
	return userDo("reset-factor", "Take away a user's second factors: they lost their phone",
		func(ctx context.Context, tools *app.Tools, who string, out io.Writer) error {
			user, err := tools.ResetFactor(ctx, who)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(out, "%s (%s) signs in without a second factor now, and has been signed out\n", user.Email, user.ID)
			return err
		})
}

func userEndSessionsCommand() *cobra.Command {
	return userDo("end", "Sign a user out everywhere; API keys stay", func(ctx context.Context, tools *app.Tools, who string, out io.Writer) error {
		user, n, err := tools.EndSessions(ctx, who)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "ended %d sessions of %s (%s)\n", n, user.Email, user.ID)
		return err
	})
}

func userDeleteCommand() *cobra.Command {
	var yes bool
	cmd := userDo("delete", "Delete an account for good, with the teams that hold nobody else", func(ctx context.Context, tools *app.Tools, who string, out io.Writer) error {
		if !yes {
			return errors.New("there is no way back: say --yes to delete the account")
		}
		user, err := tools.DeleteUser(ctx, who)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "deleted %s (%s)\n", user.Email, user.ID)
		return err
	})
	cmd.Long = "Delete an account for good.\n\n" +
		"Teams that hold nobody else go with it, and so do conversations that were private to the user. Where the last owner goes, the longest-standing " +
		"administrator of the team owns it from then on, else the longest-standing member. Other conversations stay their team's."
	cmd.Flags().BoolVar(&yes, "yes", false, "yes, for good")
	return cmd
}

func userListCommand() *cobra.Command {
	var q auth.UserQuery
	var most int
	cmd := &cobra.Command{Use: "list", Short: "List accounts, the newest first", Args: cobra.NoArgs}
	flags := cmd.Flags()
	flags.StringVar(&q.Search, "search", "", "a part of the address or the name")
	flags.StringVar(&q.Status, "status", "", "active, suspended, unverified or superuser")
	flags.IntVar(&most, "limit", 100, "at most so many")
	s := addSettings(cmd, false)
	cmd.RunE = func(*cobra.Command, []string) error {
		if most < 1 {
			return errors.New("--limit: write 1 or more")
		}
		return s.withTools(config.ForDatabase, func(ctx context.Context, tools *app.Tools, out io.Writer) error {
			return tools.Users(ctx, q, most, out)
		})
	}
	return cmd
}
