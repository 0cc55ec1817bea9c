package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
)

func conversationsCommand() *cobra.Command {
	return group("conversations", "Give conversations that belong to nobody to a team", adoptCommand())
}

func adoptCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "adopt {--anonymous | --team ID}",
		Short: "Give the upstream's conversations that belong to nobody to a team",
		Long: "Give the upstream's conversations that belong to nobody to a team.\n\n" +
			"Conversations from before openhands-saas, or made behind its back, are visible to nobody until then. An id that has ever belonged to a team stays there.",
		Args: cobra.NoArgs,
	}
	anonymous := cmd.Flags().Bool("anonymous", false, "to those who come without credentials")
	team := cmd.Flags().String("team", "", "to the team with this id")
	s := addSettings(cmd, false)
	cmd.RunE = func(*cobra.Command, []string) error {
		heir, err := chooseTeam(*anonymous, *team)
		if err != nil {
			return err
		}
		return s.withTools(config.ForUpstream, func(ctx context.Context, tools *app.Tools, out io.Writer) error {
			return adopt(ctx, tools, heir, out)
		})
	}
	return cmd
}

func chooseTeam(anonymous bool, team string) (uuid.UUID, error) {
	switch {
	case anonymous == (team != ""):
		return uuid.Nil, errors.New("choose one of --anonymous and --team ID")
	case anonymous:
		return access.AnonymousTeam, nil
	}
	id, err := uuid.Parse(team)
	if err != nil || id == uuid.Nil {
		return uuid.Nil, errors.New("--team: write the team's id, as GET /api/teams/ lists it")
	}
	return id, nil
}

func adopt(ctx context.Context, tools *app.Tools, team uuid.UUID, out io.Writer) error {
	adopted, err := tools.Adopt(ctx, team)
	if err != nil {
		return fmt.Errorf("adopt conversations: %w", err)
	}
	_, err = fmt.Fprintf(out, "adopted %d\n", adopted)
	return err
}
