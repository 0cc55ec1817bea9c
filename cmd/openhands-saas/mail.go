package main

import (
	"context"
	"errors"
	"io"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
)

func mailCommand() *cobra.Command {
	return group("mail", "The mails that are not sent yet, and whether any can be", mailList(), mailShow(), mailRetry(), mailTest())
}

func mailList() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the mails that wait or were given up, the newest first, with what went wrong",
		Args:  cobra.NoArgs,
	}
	limit := cmd.Flags().Int("limit", 100, "most that are listed")
	s := addSettings(cmd, false)
	cmd.RunE = func(*cobra.Command, []string) error {
		if *limit < 1 {
			return errors.New("--limit: write 1 or more")
		}
		return s.withTools(config.ForVault, func(ctx context.Context, tools *app.Tools, out io.Writer) error {
			return tools.MailList(ctx, *limit, out)
		})
	}
	return cmd
}

func mailShow() *cobra.Command {
	return mailOne("show ID", "Print a mail that is not sent, with its link",
		"Print a mail that is not sent, with its link.\n\n"+
			"For operators without SMTP: hand the link to the person whose address it is, and to nobody else. It is noted in the audit log that you looked.",
		func(ctx context.Context, tools *app.Tools, id uuid.UUID, out io.Writer) error {
			return tools.MailShow(ctx, id, out)
		})
}

func mailRetry() *cobra.Command {
	return mailOne("retry ID", "Have a mail tried again at once, also one that was given up", "",
		func(ctx context.Context, tools *app.Tools, id uuid.UUID, out io.Writer) error {
			return tools.MailRetry(ctx, id, out)
		})
}

// mailOne is a command about one mail.
func mailOne(use, short, long string, run func(context.Context, *app.Tools, uuid.UUID, io.Writer) error) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: cobra.ExactArgs(1)}
	s := addSettings(cmd, false)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		id, err := uuid.Parse(args[0])
		if err != nil {
			return errors.New("write the id of a mail, as `openhands-saas mail list` shows it")
		}
		return s.withTools(config.ForVault, func(ctx context.Context, tools *app.Tools, out io.Writer) error {
			return run(ctx, tools, id, out)
		})
	}
	return cmd
}

func mailTest() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test --to ADDRESS",
		Short: "Send a test mail now, and say what the server answered",
		Args:  cobra.NoArgs,
	}
	to := cmd.Flags().String("to", "", "who gets it")
	_ = cmd.MarkFlagRequired("to")
	s := addSettings(cmd, false)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := s.load(config.ForDatabase)
		if err != nil {
			return err
		}
		return app.TestMail(cmd.Context(), cfg, *to, cmd.OutOrStdout())
	}
	return cmd
}
