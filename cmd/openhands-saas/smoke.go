package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/openhands-saas/openhands-saas/internal/smoke"
)

func smokeCommand() *cobra.Command {
	var options smoke.Options
	var first, second accountFlags
	cmd := &cobra.Command{
		Use:   "smoke",
		Short: "Walk a running server as its users would, and print each step",
		Long: "Walk a running server as its users would, and print each step: two people sign in, one holds a conversation, the other tries to read it, both sign out.\n\n" +
			"The conversation is deleted at the end, also when a step fails.\n\n" +
			"With --email, --password-file, --other-email and --other-password-file they are accounts that exist, and nothing stays behind. " +
			"Without, two are registered, for which registration must be open; those two STAY BEHIND at every run, because accounts cannot be deleted yet: their addresses are printed.",
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&options.URL, "url", "http://localhost:3001", "where the server is reached")
	flags.StringVar(&first.email, "email", "", "address of an account to walk as, instead of registering one")
	flags.StringVar(&first.passwordFile, "password-file", "", "file that holds its password")
	flags.StringVar(&second.email, "other-email", "", "address of the other account, which shares no team with the first")
	flags.StringVar(&second.passwordFile, "other-password-file", "", "file that holds its password")
	flags.BoolVar(&options.NoAgent, "no-agent", false, "make a conversation without a message: no model is called")
	flags.BoolVar(&options.Insecure, "insecure", false, "accept any TLS certificate")
	flags.DurationVar(&options.AgentTimeout, "agent-timeout", 3*time.Minute, "how long the agent may take")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		options.Out = cmd.OutOrStdout()
		if options.Accounts, err = accounts(first, second); err != nil {
			return err
		}
		return smoke.Run(cmd.Context(), options)
	}
	return cmd
}

// accountFlags name an account that exists.
type accountFlags struct{ email, passwordFile string }

var errAccountFlags = errors.New("give all of --email, --password-file, --other-email and --other-password-file, or none of them")

// accounts are the two that were named, or none.
func accounts(named ...accountFlags) ([]smoke.Account, error) {
	var found []smoke.Account
	for _, n := range named {
		if n == (accountFlags{}) {
			continue
		}
		if n.email == "" || n.passwordFile == "" {
			return nil, errAccountFlags
		}
		password, err := passwordIn(n.passwordFile)
		if err != nil {
			return nil, fmt.Errorf("the password of %s: %w", n.email, err)
		}
		found = append(found, smoke.Account{Email: n.email, Password: password})
	}
	if len(found) != 0 && len(found) != len(named) {
		return nil, errAccountFlags
	}
	return found, nil
}
