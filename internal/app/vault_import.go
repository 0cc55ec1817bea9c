package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/fernet"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/files"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// VaultImport is what `vault import` was given.
type VaultImport struct {
	Folders   []string
	SecretKey string   // OH_SECRET_KEY of the agent-server that wrote the files; empty: they are in clear
	Skip      []string // places, as files.Place.String names them
	Team      string   // an id or a name
	User      string   // an address; empty: into the team's own scope
	Replace   bool
	DryRun    bool
}

// VaultImport puts the files of a single-user OpenHands into a team's vault, and prints what became of each thing.
func (t *Tools) VaultImport(ctx context.Context, o VaultImport, out io.Writer) error {
	found, err := readFiles(o)
	if err != nil {
		return refusedImport(err, out)
	}
	scope, err := t.scope(ctx, o.Team, o.User)
	if err != nil {
		return err
	}
	if err := t.app.vault.CheckKeys(ctx); err != nil {
		return err
	}
	if err := t.app.composeProxy(); err != nil {
		return err
	}
	outcomes, err := t.app.dialect.Import(ctx, settings.Import{
		Scope: scope, By: vault.By{Name: commandLine}, Replace: o.Replace, DryRun: o.DryRun,
	}, found)
	if err != nil {
		return refusedImport(err, out)
	}
	return printOutcomes(outcomes, o.DryRun, out)
}

func readFiles(o VaultImport) (*files.Found, error) {
	options := files.Options{Skip: o.Skip}
	if o.SecretKey != "" {
		options.Key = fernet.Derive(o.SecretKey)
	}
	return files.Read(o.Folders, options)
}

// refusedImport prints each fault on a line of its own.
func refusedImport(err error, out io.Writer) error {
	faults, is := errors.AsType[files.Faults](err)
	if !is {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, fault := range faults {
		fmt.Fprintf(w, "refused\t%s\t%s\n", onLine(fault.Place.String()), onLine(fault.Text))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return fmt.Errorf("nothing was imported: %d refused, as listed; put that right, or leave it out with --skip", len(faults))
}

func printOutcomes(outcomes []settings.Outcome, dry bool, out io.Writer) error {
	count := map[string]int{}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, o := range outcomes {
		count[o.What]++
		line := o.What + "\t" + onLine(o.Place.String())
		if o.Text != "" {
			line += "\t" + onLine(o.Text)
		}
		fmt.Fprintln(w, line)
	}
	fmt.Fprintf(w, "\n%d taken, %d replaced, %d left as they are, %d skipped\n",
		count[settings.Taken], count[settings.Replaced], count[settings.Present], count[settings.Skipped])
	if count[settings.Present] > 0 {
		fmt.Fprintln(w, "what exists is replaced with --replace")
	}
	if dry {
		fmt.Fprintln(w, "this was a rehearsal: nothing was changed")
	}
	return w.Flush()
}

// onLine is a text without what would move a terminal's cursor: names come from files.
func onLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}

// scope finds the team, and in it the user.
func (t *Tools) scope(ctx context.Context, team, email string) (vault.Scope, error) {
	id, err := t.team(ctx, team)
	if err != nil || email == "" {
		return vault.Scope{Team: id}, err
	}
	var users []uuid.UUID
	err = t.app.db().SelectContext(ctx, &users, `
		SELECT u.id
		  FROM users u
		  JOIN team_members m ON m.user_id = u.id
		 WHERE m.team_id = $1
		   AND u.email_key = lower(normalize($2))`, id, email)
	switch {
	case err != nil:
		return vault.Scope{}, postgres.Problem(fmt.Errorf("look for the user: %w", err))
	case len(users) == 0:
		return vault.Scope{}, errors.New("--user: the team has no member with this address")
	}
	return vault.Scope{Team: id, User: users[0]}, nil
}

func (t *Tools) team(ctx context.Context, team string) (uuid.UUID, error) {
	id, _ := uuid.Parse(team) // else zero, which is nobody's
	var teams []uuid.UUID
	err := t.app.db().SelectContext(ctx, &teams, `
		SELECT id
		  FROM teams
		 WHERE (id = $1 OR name = $2)
		   AND deleted_at IS NULL
		 ORDER BY id`, id, team)
	switch {
	case err != nil:
		return uuid.Nil, postgres.Problem(fmt.Errorf("look for the team: %w", err))
	case slices.Contains(teams, id):
		teams = []uuid.UUID{id}
	}
	switch {
	case len(teams) == 0:
		return uuid.Nil, errors.New("--team: there is no team with this id or name")
	case len(teams) > 1:
		return uuid.Nil, fmt.Errorf("--team: %d teams have this name; write the id of one: %s", len(teams), joined(teams))
	case teams[0] == access.AnonymousTeam:
		return uuid.Nil, errors.New("--team: those who come without an account have no vault")
	}
	return teams[0], nil
}

func joined(ids []uuid.UUID) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return strings.Join(texts, ", ")
}
