package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
)

func bansCommand() *cobra.Command {
	return group("bans", "Who is answered as if the password were wrong; a change counts at once", bansListCommand(), bansAddCommand(), bansRemoveCommand())
}

func bansListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the bans that hold, and why", Args: cobra.NoArgs}
	s := addSettings(cmd, false)
	cmd.RunE = func(*cobra.Command, []string) error {
		return s.withTools(config.ForDatabase, func(ctx context.Context, tools *app.Tools, out io.Writer) error {
			return tools.Bans(ctx, out)
		})
	}
	return cmd
}

func bansAddCommand() *cobra.Command {
	var lasts time.Duration
	var reason string
	return banChange("add", "Ban an address or an account for a time", func(cmd *cobra.Command) {
		cmd.Flags().DurationVar(&lasts, "for", 24*time.Hour, "how long, such as 30m or 24h")
		cmd.Flags().StringVar(&reason, "reason", "", "why, for whoever reads the list")
	}, func(ctx context.Context, tools *app.Tools, out io.Writer, kind, key string) error {
		if err := tools.Ban(ctx, kind, key, lasts, reason); err != nil {
			return err
		}
		_, err := fmt.Fprintf(out, "banned %s for %s\n", kind, lasts)
		return err
	})
}

func bansRemoveCommand() *cobra.Command {
	return banChange("remove", "End a ban", func(*cobra.Command) {}, func(ctx context.Context, tools *app.Tools, out io.Writer, kind, key string) error {
		if err := tools.Unban(ctx, kind, key); err != nil {
			return err
		}
		_, err := fmt.Fprintf(out, "the ban of this %s has ended\n", kind)
		return err
	})
}

type banWork func(ctx context.Context, tools *app.Tools, out io.Writer, kind, key string) error

// banChange is a command about one address or one account.
func banChange(verb, short string, flags func(*cobra.Command), work banWork) *cobra.Command {
	cmd := &cobra.Command{Use: verb + " {--ip ADDRESS | --account E-MAIL}", Short: short, Args: cobra.NoArgs}
	ip := cmd.Flags().String("ip", "", "an IP address; of IPv6 its network of 64 bits counts")
	account := cmd.Flags().String("account", "", "the account with this e-mail address")
	flags(cmd)
	s := addSettings(cmd, false)
	cmd.RunE = func(*cobra.Command, []string) error {
		kind, key, err := chooseBan(*ip, *account)
		if err != nil {
			return err
		}
		return s.withTools(config.ForDatabase, func(ctx context.Context, tools *app.Tools, out io.Writer) error {
			return work(ctx, tools, out, kind, key)
		})
	}
	return cmd
}

func chooseBan(ip, account string) (kind, key string, err error) {
	switch {
	case (ip == "") == (account == ""):
		return "", "", errors.New("choose one of --ip ADDRESS and --account E-MAIL")
	case ip != "":
		return app.BanIP, ip, nil
	}
	return app.BanAccount, account, nil
}
