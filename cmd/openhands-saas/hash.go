package main

import (
	"github.com/spf13/cobra"

	"github.com/openhands-saas/openhands-saas/internal/argon"
)

// hashCommand is what serve starts beside itself. People have no use for it.
func hashCommand() *cobra.Command {
	return &cobra.Command{
		Use:    hashWord,
		Short:  "Hash passwords for a server, which starts this by itself",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return argon.Serve(cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}

const hashWord = "hash-passwords"
