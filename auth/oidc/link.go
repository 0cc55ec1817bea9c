package oidc

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// What linking and unlinking may answer.
var (
	errNotHere   = problem.New(http.StatusForbidden, "Whoever began to link this is not signed in here any more. Sign in and begin again.")
	errElsewhere = problem.New(http.StatusConflict, "This identity belongs to another account. Sign in by it, and unlink it there first.")
	errSecond    = problem.New(http.StatusConflict, "Your account has another identity of this provider. Unlink that one first.")
	errLastWay   = problem.New(http.StatusConflict, "This is the only way by which you can sign in. Set a password or add a passkey first, then unlink it.")
)

// link gives the identity to whoever began it, in the same session. It is no error to link what is linked.
func (s *Service) link(ctx context.Context, p *provider, f flow, who claims, id *auth.Identity) error {
	if id == nil || id.Key || id.User.ID.String() != f.Subject || id.Session.String() != f.Session {
		return errNotHere
	}
	return s.db.InTx(ctx, func(tx *postgres.Tx) error {
		held, found, err := s.cfg.Auth.HoldByID(ctx, tx, id.User.ID)
		if err != nil || !found {
			return firstOf(err, errNotHere)
		}
		if err := s.cfg.Auth.Stands(ctx, tx, id.Session); err != nil { // what ended all sessions ends this, too
			return err
		}
		known, taken, err := identityOf(ctx, tx, p.issuer, who.Subject)
		switch {
		case err != nil:
			return err
		case taken && known.User == held.ID:
			return nil
		case taken:
			return errElsewhere
		}
		return s.add(ctx, tx, p, held.User, who)
	})
}

func (s *Service) add(ctx context.Context, tx *postgres.Tx, p *provider, u auth.User, who claims) error {
	other, err := hasIdentity(ctx, tx, u.ID, p.issuer)
	if err != nil {
		return err
	}
	if other {
		return errSecond
	}
	if err := insertIdentity(ctx, tx, u.ID, p, who, s.cfg.Now(), false); err != nil {
		if errors.Is(err, auth.ErrTaken) {
			return errElsewhere
		}
		return err
	}
	return s.record(ctx, tx, u, "identity.link", p.Name, map[string]any{"by": "signed-in user"})
}

// Linked is an identity as its owner sees it.
type Linked struct {
	ID       uuid.UUID  `db:"id"`
	Provider string     `db:"provider"`
	Title    string     `db:"-"`
	Email    string     `db:"email"`
	Created  time.Time  `db:"created_at"`
	Used     *time.Time `db:"last_login_at"`
}

// Identities lists those of a user, the oldest first.
func (s *Service) Identities(ctx context.Context, user uuid.UUID) ([]Linked, error) {
	list, err := readIdentities(ctx, s.db, user)
	for i := range list {
		list[i].Title = s.titleOf(list[i].Provider)
	}
	return list, postgres.Problem(err)
}

// titleOf is what a provider is called, though it may not be configured any more.
func (s *Service) titleOf(name string) string {
	for _, p := range s.providers {
		if p.Name == name {
			return p.Title
		}
	}
	return name
}

// Unlink takes an identity from whoever is signed in and has proved a moment ago who they are, unless they could not sign in any more.
// Other sessions that it began end, and roles that its groups gave go.
func (s *Service) Unlink(ctx context.Context, by auth.Identity, id uuid.UUID) error {
	if err := s.cfg.Auth.RequireFresh(by); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(tx *postgres.Tx) error {
		held, found, err := s.cfg.Auth.HoldByID(ctx, tx, by.User.ID)
		if err != nil || !found {
			return firstOf(err, problem.Unauthorized)
		}
		provider, err := deleteIdentity(ctx, tx, held.ID, id)
		if err != nil {
			return err
		}
		if err := s.otherWay(ctx, tx, held); err != nil {
			return err
		}
		return s.dropped(ctx, tx, held.User, provider, by.Session)
	})
}

// otherWay answers errLastWay when nothing is left to sign in by. The account is held, so that two ways cannot go at the same time.
func (s *Service) otherWay(ctx context.Context, tx *postgres.Tx, held auth.Held) error {
	if held.Password {
		return nil
	}
	rest, err := s.usable(ctx, tx, held.ID)
	if err != nil || rest {
		return err
	}
	if s.cfg.Passkeys != nil {
		if passkey, err := s.cfg.Passkeys(ctx, tx, held.ID); err != nil || passkey {
			return err
		}
	}
	return errLastWay
}

// usable says whether the user has an identity of a provider that is configured.
func (s *Service) usable(ctx context.Context, tx *postgres.Tx, user uuid.UUID) (bool, error) {
	issuers := make([]string, len(s.providers))
	for i, p := range s.providers {
		issuers[i] = p.issuer
	}
	return hasIdentity(ctx, tx, user, issuers...)
}

// CanSignIn says whether a user can sign in by an issuer, for those who take another way from them. They hold the account.
func (s *Service) CanSignIn(ctx context.Context, tx *postgres.Tx, user uuid.UUID) (bool, error) {
	return s.usable(ctx, tx, user)
}

func (s *Service) dropped(ctx context.Context, tx *postgres.Tx, u auth.User, provider string, session uuid.UUID) error {
	if err := s.cfg.Auth.EndMethod(ctx, tx, u.ID, provider, session); err != nil {
		return err
	}
	if s.cfg.Groups != nil {
		if err := s.cfg.Groups(ctx, tx, u, provider, nil); err != nil {
			return err
		}
	}
	return s.record(ctx, tx, u, "identity.unlink", provider, nil)
}

func firstOf(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}
