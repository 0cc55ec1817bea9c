package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/openhands-saas/openhands-saas/config"
)

func configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the effective configuration, secrets masked, and where each value came from",
		Args:  cobra.NoArgs,
	}
	check := cmd.Flags().Bool("check", false, "print problems only, and exit 1 when there are any")
	s := addSettings(cmd, true)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, problems := s.load(config.ForServe)
		if err := printConfig(cmd.OutOrStdout(), cfg, *check); err != nil {
			return err
		}
		if *check {
			return problems
		}
		if problems != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), problems)
		}
		return nil
	}
	return cmd
}

func printConfig(out io.Writer, cfg *config.Config, brief bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if !brief {
		for _, setting := range cfg.Describe() {
			fmt.Fprintf(w, "%s\t%s\t%s\n", setting.Name, setting.Value, setting.Origin)
		}
	}
	for _, notice := range cfg.Notices {
		fmt.Fprintf(w, "note: %s\n", notice)
	}
	return w.Flush()
}
