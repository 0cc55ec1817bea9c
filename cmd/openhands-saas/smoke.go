package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/openhands-saas/openhands-saas/internal/smoke"
)

func smokeCommand() *cobra.Command {
	var options smoke.Options
	cmd := &cobra.Command{
		Use:   "smoke",
		Short: "Walk a running server as its users would, and print each step",
		Long: "Walk a running server as its users would, and print each step: register two people, sign in, hold a conversation, try to read it as the other, sign out.\n\n" +
			"Registration must be open. The conversation is deleted at the end; the two accounts stay, because accounts cannot be deleted yet.",
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&options.URL, "url", "http://localhost:3001", "where the server is reached")
	flags.BoolVar(&options.NoAgent, "no-agent", false, "make a conversation without a message: no model is called")
	flags.BoolVar(&options.Insecure, "insecure", false, "accept any TLS certificate")
	flags.DurationVar(&options.AgentTimeout, "agent-timeout", 3*time.Minute, "how long the agent may take")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		options.Out = cmd.OutOrStdout()
		return smoke.Run(cmd.Context(), options)
	}
	return cmd
}
