package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
)

func vaultCommand() *cobra.Command {
	return group("vault", "The keys that seal what teams and users keep secret, and what a single user kept before", vaultKeyset(), vaultStatus(), vaultRotate(), vaultImport())
}

func vaultKeyset() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keyset",
		Short: "Print a new keyset for VAULT_KEYSET",
		Long: "Print a new keyset for VAULT_KEYSET, or with --add the present one and a fresh key, which seals.\n\n" +
			"It is one line of JSON, in clear: whoever has it, and the database, has all secrets. Write it to a file that only you may read, and keep a copy " +
			"away from the database's backups. Nothing is changed by this command.",
		Args: cobra.NoArgs,
	}
	add := cmd.Flags().Bool("add", false, "the present keyset and a fresh key")
	s := addSettings(cmd, false)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var cfg *config.Config
		if *add {
			var err error
			if cfg, err = s.load(config.ForVault); err != nil {
				return err
			}
		}
		text, err := app.NewKeyset(cfg, *add)
		if err != nil {
			return err
		}
		_, err = cmd.OutOrStdout().Write(append(text, '\n'))
		return err
	}
	return cmd
}

func vaultStatus() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say what each key holds, which keys may go, and what does not open",
		Long:  "Say what each key holds, which keys may go, and what does not open.\n\nEverything is opened for that, and nothing is changed.",
		Args:  cobra.NoArgs,
	}
	s := addSettings(cmd, false)
	cmd.RunE = func(*cobra.Command, []string) error {
		return s.withTools(config.ForVault, func(ctx context.Context, tools *app.Tools, out io.Writer) error {
			return tools.VaultStatus(ctx, out)
		})
	}
	return cmd
}

func vaultRotate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Seal everything with a fresh key, while servers run",
		Long: "Seal everything with a fresh key, while servers run.\n\n" +
			"Where the keyset is a file, the fresh key is added to it; servers that read the same file learn of it by themselves. Where replicas have copies of the file, " +
			"or VAULT_KEYSET as a value, give all of them the output of `vault keyset --add` first: what is sealed with another key is then sealed anew, " +
			"and no key is added.\n\n" +
			"It may be stopped at any time: run again, it goes on where it was. The old keys stay in the keyset; `vault status` says which may go.",
		Args: cobra.NoArgs,
	}
	batch := cmd.Flags().Int("batch", 100, "documents at a time")
	s := addSettings(cmd, false)
	cmd.RunE = func(*cobra.Command, []string) error {
		if *batch < 1 {
			return errors.New("--batch: write 1 or more")
		}
		return s.withTools(config.ForVault, func(ctx context.Context, tools *app.Tools, out io.Writer) error {
			return tools.VaultRotate(ctx, *batch, out)
		})
	}
	return cmd
}
