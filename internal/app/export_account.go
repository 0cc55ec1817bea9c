package app

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// What is held about an account, for its owner. Secrets are named and not shown: neither those of the vault nor tokens, keys and
// passwords. Everything is read page by page while it is written, so that a large account costs time and no memory.

const (
	exportPage = 200
	exportMost = 100_000 // of each kind
)

// exportAccount writes one JSON object. What comes before its first byte is an error that can still be answered.
func (a *App) exportAccount(ctx context.Context, w io.Writer, id auth.Identity) error {
	account, err := a.auth.Account(ctx, id.User.ID)
	if err != nil {
		return err
	}
	teams, err := a.exportTeams(ctx, id.User.ID)
	if err != nil {
		return err
	}
	identities, err := a.exportIdentities(ctx, id.User.ID)
	if err != nil {
		return err
	}
	factors, err := a.verifier().Methods(ctx, id.User.ID)
	if err != nil {
		return err
	}
	x := &exporter{w: w, still: func() error {
		_, err := a.auth.Authenticate(ctx, access.OfSession(id.User.ID, id.Session))
		return err
	}}
	x.member("exported_at", time.Now().UTC().Truncate(time.Second))
	x.member("user", account)
	x.member("teams", teams)
	x.member("identities", identities)
	x.member("second_factors", append([]string{}, factors...))
	list(x, "sessions", func(after auth.Session) ([]auth.Session, error) {
		page, _, err := a.auth.Sessions(ctx, id, exportPage, after.ID)
		return page, err
	})
	list(x, "api_keys", func(after apikey.Key) ([]apikey.Key, error) {
		page, err := a.apiKeys.List(ctx, id.User.ID, apikey.Window{Limit: exportPage, After: after.ID})
		return page.Items, err
	})
	list(x, "conversations", func(after exportedTalk) ([]exportedTalk, error) { return a.exportTalks(ctx, id.User.ID, after.ID) })
	list(x, "vault", func(after vault.Held) ([]vault.Held, error) {
		return vault.HeldBy(ctx, a.db(), id.User.ID, after.ID, exportPage)
	})
	list(x, "audit", func(after audit.Line) ([]audit.Line, error) {
		return audit.By(ctx, a.db(), id.User.ID, after.ID, exportPage)
	})
	if err := x.end(); err != nil {
		a.log.WarnContext(ctx, "an export of an account broke off", "user", id.User.ID, "error", err)
		return err
	}
	return nil
}

type exportedTeam struct {
	ID       uuid.UUID   `json:"id"`
	Name     string      `json:"name"`
	Personal bool        `json:"is_personal"`
	Role     access.Role `json:"role"`
}

func (a *App) exportTeams(ctx context.Context, user uuid.UUID) ([]exportedTeam, error) {
	memberships, err := a.teams.Memberships(ctx, user)
	if err != nil {
		return nil, err
	}
	teams, err := a.teams.Teams(ctx, &access.Principal{User: user, Memberships: memberships})
	exported := make([]exportedTeam, len(teams))
	for i, t := range teams {
		exported[i] = exportedTeam{t.ID, t.Name, t.IsPersonal, t.Role}
	}
	return exported, err
}

type exportedIdentity struct {
	Provider string     `json:"provider"`
	Email    string     `json:"email"`
	Created  time.Time  `json:"created_at"`
	Used     *time.Time `json:"last_login_at"`
}

func (a *App) exportIdentities(ctx context.Context, user uuid.UUID) ([]exportedIdentity, error) {
	linked, err := a.oidc.Identities(ctx, user)
	exported := make([]exportedIdentity, len(linked))
	for i, l := range linked {
		exported[i] = exportedIdentity{l.Provider, l.Email, l.Created.UTC(), l.Used}
	}
	return exported, err
}

type exportedTalk struct {
	ID      uuid.UUID `json:"id"`
	Team    uuid.UUID `json:"team_id"`
	Title   string    `json:"title"`
	Private bool      `json:"private"`
	Created time.Time `json:"created_at"`
	Updated time.Time `json:"updated_at"`
}

func (a *App) exportTalks(ctx context.Context, user, after uuid.UUID) ([]exportedTalk, error) {
	found, err := a.objects.StartedBy(ctx, user, after, exportPage)
	exported := make([]exportedTalk, len(found))
	for i, c := range found {
		exported[i] = exportedTalk{c.ID, c.Team, c.Title, c.Private, c.CreatedAt, c.UpdatedAt}
	}
	return exported, err
}

// exporter writes the members of one object. The first error stays, and nothing is written after it.
type exporter struct {
	w     io.Writer
	still func() error // asked before each page: a large export takes longer than a right may last
	begun bool
	err   error
}

func (x *exporter) write(text []byte) {
	if x.err == nil {
		_, x.err = x.w.Write(text)
	}
}

func (x *exporter) value(v any) {
	text, err := json.Marshal(v)
	if err != nil && x.err == nil {
		x.err = err
	}
	x.write(text)
}

func (x *exporter) name(name string) {
	separator := ",\n"
	if !x.begun {
		separator = "{\n"
	}
	x.begun = true
	x.write([]byte(separator))
	x.value(name)
	x.write([]byte(": "))
}

func (x *exporter) member(name string, v any) {
	x.name(name)
	x.value(v)
}

func (x *exporter) end() error {
	x.write([]byte("\n}\n"))
	return x.err
}

var errExportLong = errors.New("there is more of one kind than an export holds")

// list writes the member name as a list, one page after the other: read gets the last of the page before, or the zero value.
func list[T any](x *exporter, name string, read func(after T) ([]T, error)) {
	x.name(name)
	x.write([]byte("["))
	var last T
	for written := 0; x.err == nil; {
		err := x.still()
		var page []T
		if err == nil {
			page, err = read(last)
		}
		if err != nil {
			x.err = err
			return
		}
		for _, v := range page {
			if written > 0 {
				x.write([]byte(",\n"))
			}
			x.value(v)
			last = v
			written++
		}
		if len(page) < exportPage {
			break
		}
		if written >= exportMost {
			x.err = errExportLong
		}
	}
	x.write([]byte("]"))
}
