package auth

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Actor is who administers accounts, as the audit log names them: a superuser, or with a nil id the command line.
type Actor struct {
	ID   uuid.UUID
	Name string
}

// CommandLine is the operator at a terminal.
func CommandLine() Actor { return Actor{Name: "command line"} }

// Actor is who the identity is, for the audit log.
func (i Identity) Actor() Actor { return Actor{ID: i.User.ID, Name: i.User.Email} }

// Superuser answers problem.Forbidden unless the credential carries rights over the installation: a session of a superuser, or a
// key of one with the highest scope that is bound to no team.
func (i Identity) Superuser() error {
	if !i.User.IsSuperuser || !i.Scope.Covers(access.ScopeAdmin) || i.Bound != uuid.Nil {
		return problem.Forbidden
	}
	return nil
}

// What administering accounts may answer.
var (
	ErrLastSuperuser = problem.New(http.StatusConflict,
		"This is the last administrator who can sign in. Make somebody else an administrator first.")
	errNoUser = access.ErrHidden
)

// Suspend keeps a user out: all sessions and keys end, for good, on every replica. The account and what it owns stay.
func (s *Service) Suspend(ctx context.Context, by Actor, id uuid.UUID) (User, error) {
	return s.administer(ctx, by, id, "user.suspend", Change{IsActive: new(false)})
}

// Reactivate lets a suspended user sign in again. Nothing that ended comes back.
func (s *Service) Reactivate(ctx context.Context, by Actor, id uuid.UUID) (User, error) {
	return s.administer(ctx, by, id, "user.reactivate", Change{IsActive: new(true)})
}

// MarkVerified says for the user that the address is theirs: where there is no mail, an operator has to know.
func (s *Service) MarkVerified(ctx context.Context, by Actor, id uuid.UUID) (User, error) {
	return s.administer(ctx, by, id, "user.verify", Change{Verified: new(true)})
}

// SetSuperuser gives or takes the rights over the installation. The last who has them, and can sign in, keeps them.
func (s *Service) SetSuperuser(ctx context.Context, by Actor, id uuid.UUID, superuser bool) (User, error) {
	action := "user.grant-admin"
	if !superuser {
		action = "user.revoke-admin"
	}
	return s.administer(ctx, by, id, action, Change{Superuser: &superuser})
}

// SetPassword sets a password for a user, by the rule of all passwords, and signs them out everywhere.
func (s *Service) SetPassword(ctx context.Context, by Actor, id uuid.UUID, password string) (User, error) {
	return s.administer(ctx, by, id, "user.set-password", Change{Password: &password})
}

// SetEmail moves an account to another address, of whatever domain. It has to be verified anew.
func (s *Service) SetEmail(ctx context.Context, by Actor, id uuid.UUID, email string) (User, error) {
	return s.administer(ctx, by, id, "user.set-email", Change{Email: &email})
}

// Administer changes an account for a superuser who may, in several points at a time.
func (s *Service) Administer(ctx context.Context, by Actor, id uuid.UUID, c Change) (User, error) {
	return s.administer(ctx, by, id, "", c)
}

func (s *Service) administer(ctx context.Context, by Actor, id uuid.UUID, action string, c Change) (User, error) {
	return s.update(ctx, updating{by: by, user: id, action: action}, c)
}

// EndSessions signs a user out everywhere, and says of how many sessions. Keys stay.
func (s *Service) EndSessions(ctx context.Context, by Actor, id uuid.UUID) (ended int, err error) {
	err = s.db.InTx(ctx, func(tx *postgres.Tx) error {
		a, err := accountByID(ctx, tx, id, forUpdate)
		if err != nil || a.ID == uuid.Nil {
			return firstOf(err, errNoUser)
		}
		if ended, err = liveSessions(ctx, tx, id, s.cfg.Now()); err != nil {
			return err
		}
		if err := s.EndAll(ctx, tx, id); err != nil || ended == 0 {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{
			ActorID: by.ID, Actor: by.Name, Action: "user.end-sessions", Object: id.String(), Detail: map[string]any{"sessions": ended},
		})
	})
	return ended, postgres.Problem(err)
}

// checkSuperusers keeps one superuser who can sign in, and tells others of the one who is none any more. It holds under
// lockSuperusers.
func (s *Service) checkSuperusers(ctx context.Context, tx *postgres.Tx, before, after User) error {
	if !before.IsSuperuser || !before.IsActive || after.IsSuperuser && after.IsActive {
		return nil
	}
	var other bool
	err := tx.GetContext(ctx, &other, `
		SELECT EXISTS (
			SELECT FROM users
			WHERE is_superuser AND is_active AND id <> $1)`, before.ID)
	if err != nil {
		return fmt.Errorf("look for another superuser: %w", err)
	}
	if !other {
		return ErrLastSuperuser
	}
	if s.cfg.Hooks.SuperuserEnded == nil {
		return nil
	}
	return s.cfg.Hooks.SuperuserEnded(ctx, tx, before.ID)
}

// endAll ends, for good, everything by which a user comes in: sessions, keys, and links that are on their way.
func (s *Service) endAll(ctx context.Context, tx *postgres.Tx, user uuid.UUID) error {
	if err := s.EndAll(ctx, tx, user); err != nil {
		return err
	}
	if err := dropOneTime(ctx, tx, purposeReset, user); err != nil {
		return err
	}
	if s.cfg.Hooks.Ended == nil {
		return nil
	}
	return s.cfg.Hooks.Ended(ctx, tx, user)
}

// lockAccount holds an account until the transaction ends, and with it who is a superuser.
func lockAccount(ctx context.Context, tx *postgres.Tx, id uuid.UUID) (account, error) {
	if err := lockSuperusers(ctx, tx); err != nil {
		return account{}, err
	}
	a, err := accountByID(ctx, tx, id, forUpdate)
	if err == nil && a.ID == uuid.Nil {
		err = errNoUser
	}
	return a, err
}

func liveSessions(ctx context.Context, tx *postgres.Tx, user uuid.UUID, now time.Time) (n int, err error) {
	err = tx.GetContext(ctx, &n, `
		SELECT count(*)
		FROM sessions
		WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2`, user, now)
	if err != nil {
		return 0, fmt.Errorf("count the sessions of a user: %w", err)
	}
	return n, nil
}
