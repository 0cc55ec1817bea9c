package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
)

// What the commands about users do. Each finds its user by address or id.

// MakeUser is CreateUser; with open, without a password and with the link by which the person chooses one.
func (t *Tools) MakeUser(ctx context.Context, u NewUser, open bool) (auth.User, *auth.SetupURL, error) {
	if !open {
		made, err := t.CreateUser(ctx, u)
		return made, nil, err
	}
	return t.app.auth.AdminCreate(ctx, auth.CommandLine(), auth.NewAccount{
		Registration: auth.Registration{Email: u.Email, Name: optional(u.Name), TeamName: optional(u.Team)}, Superuser: u.Admin,
	})
}

// User finds an account.
func (t *Tools) User(ctx context.Context, who string) (auth.Account, error) {
	id, err := uuid.Parse(who)
	if err != nil {
		found, known, err := t.app.auth.FindByEmail(ctx, who)
		if err != nil {
			return auth.Account{}, err
		}
		if !known {
			return auth.Account{}, noUser(who)
		}
		id = found.ID
	}
	account, err := t.app.auth.Account(ctx, id)
	if errors.Is(err, access.ErrHidden) {
		return account, noUser(who)
	}
	return account, err
}

func noUser(who string) error {
	return fmt.Errorf("there is no account %q; openhands-saas user list shows all", who)
}

// UserAct is what a command does to an account: one of auth.Service's methods.
type UserAct func(s *auth.Service, ctx context.Context, by auth.Actor, id uuid.UUID) (auth.User, error)

// ChangeUser does something to an account.
func (t *Tools) ChangeUser(ctx context.Context, who string, act UserAct) (auth.User, error) {
	account, err := t.User(ctx, who)
	if err != nil {
		return auth.User{}, err
	}
	return act(t.app.auth, ctx, auth.CommandLine(), account.ID)
}

// DeleteUser deletes an account for good.
func (t *Tools) DeleteUser(ctx context.Context, who string) (auth.Account, error) {
	account, err := t.User(ctx, who)
	if err != nil {
		return account, err
	}
	return account, t.app.auth.Delete(ctx, auth.CommandLine(), account.ID)
}

// EndSessions signs a user out everywhere, and says of how many sessions.
func (t *Tools) EndSessions(ctx context.Context, who string) (auth.Account, int, error) {
	account, err := t.User(ctx, who)
	if err != nil {
		return account, 0, err
	}
	n, err := t.app.auth.EndSessions(ctx, auth.CommandLine(), account.ID)
	return account, n, err
}

// SetupLink makes a one-time link by which a user chooses a password.
func (t *Tools) SetupLink(ctx context.Context, who string) (*auth.SetupURL, error) {
	account, err := t.User(ctx, who)
	if err != nil {
		return nil, err
	}
	return t.app.auth.SetupLinkFor(ctx, auth.CommandLine(), account.ID)
}

// ResetFactor takes away a user's second factors.
func (t *Tools) ResetFactor(ctx context.Context, who string) (auth.Account, error) {
	account, err := t.User(ctx, who)
	if err != nil {
		return account, err
	}
	return account, t.app.factors.Reset(ctx, account.ID, auth.CommandLine())
}

// CompleteLink says where a link is that was made without knowing the server's address.
func CompleteLink(link string) string {
	if u, err := url.Parse(link); err != nil || u.Host == "" {
		return link + "  (below the server's address; set PUBLIC_URL to see it whole)"
	}
	return link
}

// Users prints accounts, a page at a time, up to most.
func (t *Tools) Users(ctx context.Context, q auth.UserQuery, most int, out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tADDRESS\tNAME\tSTATE\tCREATED\tLAST SIGN-IN")
	for left := most; left > 0; {
		q.Limit = min(left, 200)
		page, err := t.app.auth.Users(ctx, q)
		if err != nil {
			return err
		}
		for _, a := range page.Items {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", a.ID, a.Email, orDash(a.Name), accountState(a), day(&a.CreatedAt), day(a.LastLoginAt))
		}
		left -= len(page.Items)
		if page.NextPageID == nil {
			return w.Flush()
		}
		q.PageID = *page.NextPageID
	}
	fmt.Fprintf(w, "… and more; narrow it with --search or --status, or raise --limit\n")
	return w.Flush()
}

// ShowUser prints one account with its teams.
func (t *Tools) ShowUser(ctx context.Context, who string, out io.Writer) error {
	a, err := t.User(ctx, who)
	if err != nil {
		return err
	}
	memberships, err := t.app.teams.Memberships(ctx, a.ID)
	if err != nil {
		return err
	}
	teams, err := t.app.teams.Teams(ctx, &access.Principal{User: a.ID, Memberships: memberships})
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	password := "none"
	if a.HasPassword {
		password = "set"
	}
	for _, row := range [][2]string{
		{"id", a.ID.String()}, {"address", a.Email}, {"name", orDash(a.Name)}, {"state", accountState(a)}, {"password", password},
		{"created", day(&a.CreatedAt)}, {"last sign-in", day(a.LastLoginAt)},
	} {
		fmt.Fprintf(w, "%s\t%s\n", row[0], row[1])
	}
	for _, team := range teams {
		fmt.Fprintf(w, "team\t%s  %s  (%s)\n", team.ID, team.Name, team.Role)
	}
	return w.Flush()
}

func accountState(a auth.Account) string {
	words := []string{"active"}
	if !a.IsActive {
		words[0] = "suspended"
	}
	if !a.IsVerified {
		words = append(words, "unverified")
	}
	if a.IsSuperuser {
		words = append(words, "administrator")
	}
	return strings.Join(words, ", ")
}

func orDash(s *string) string {
	if s == nil || *s == "" {
		return "-"
	}
	return *s
}

func day(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.UTC().Format(time.DateOnly)
}
