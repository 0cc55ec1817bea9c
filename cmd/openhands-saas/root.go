package main

import "github.com/spf13/cobra"

// root joins the commands.
func root() *cobra.Command {
	cmd := group("openhands-saas", "OpenHands for many people: accounts, teams and isolation in front of an unmodified backend",
		serveCommand(), migrateCommand(), userCommand(), conversationsCommand(), anonymousCommand(), bansCommand(), vaultCommand(), mailCommand(),
		routesCommand(), configCommand(), smokeCommand(), doctorCommand(), hashCommand(), versionCommand())
	cmd.SilenceUsage, cmd.SilenceErrors = true, true // main prints, once and on one line
	cmd.CompletionOptions.DisableDefaultCmd = true
	return cmd
}

// group makes a command that only holds others: alone it says what they are, and a word it does not know is an error.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return cmd.Help()
	}}
	cmd.AddCommand(commands...)
	return cmd
}
