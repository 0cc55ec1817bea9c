package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
)

// secretKeyName is the upstream's name for the key of its files; ours do not begin with OH_.
const secretKeyName = "OH_SECRET_KEY"

func vaultImport() *cobra.Command {
	var o app.VaultImport
	var keyFile string
	cmd := &cobra.Command{
		Use:   "import --team ID-OR-NAME FOLDER...",
		Short: "Take the settings, secrets and profiles of a single-user OpenHands into a team's vault",
		Long: "Take the settings, secrets and profiles of a single-user OpenHands 1.49 into a team's vault, or with --user into that of one of its members.\n\n" +
			"FOLDER is what OH_PERSISTENCE_DIR named: it holds settings.json, secrets.json, profiles and the like. Without that name the agent-server kept settings in " +
			".openhands beside its folder of conversations, and profiles in .openhands of the home folder: give both. Stop it first, so that the files stay as they are.\n\n" +
			"Values that are sealed are opened with " + secretKeyName + ", from --secret-key-file or from the environment; where the agent-server had none, it took its first " +
			"session API key. Everything is judged as if it came through the API, addresses included, and the upstream is asked for its schemas, so it must run.\n\n" +
			"It is all or nothing: when anything is refused, nothing is changed, and each refusal is named with its file and place. What is there already stays, " +
			"unless --replace is given. Members of the settings that say the default are not taken. The files are not changed, either: remove them when all is well.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("name the folder that holds settings.json")
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Team, "team", "", "id or name of the team")
	flags.StringVar(&o.User, "user", "", "address of the member who gets it as their own")
	flags.BoolVar(&o.DryRun, "dry-run", false, "say what would happen, and change nothing")
	flags.BoolVar(&o.Replace, "replace", false, "replace what is there already")
	flags.StringArrayVar(&o.Skip, "skip", nil, "leave out a file, or one of its members, as FILE:MEMBER/MEMBER (may be repeated)")
	flags.StringVar(&keyFile, "secret-key-file", "", "file that holds "+secretKeyName+" (default the environment's)")
	_ = cmd.MarkFlagRequired("team")
	s := addSettings(cmd, false)
	cmd.RunE = func(_ *cobra.Command, args []string) (err error) {
		o.Folders = args
		if o.SecretKey, err = secretKey(keyFile); err != nil {
			return err
		}
		return s.withTools(config.ForUpstream, func(ctx context.Context, tools *app.Tools, out io.Writer) error {
			return tools.VaultImport(ctx, o, out)
		})
	}
	return cmd
}

// secretKey is the key of the files; empty when there is none. The line's end is none of it.
func secretKey(file string) (string, error) {
	if file == "" {
		return os.Getenv(secretKeyName), nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("--secret-key-file: %w", err)
	}
	key := strings.TrimRight(string(raw), "\r\n")
	if key == "" {
		return "", errors.New("--secret-key-file: the file is empty")
	}
	return key, nil
}
