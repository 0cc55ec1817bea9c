package auth

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// External is somebody without an account here, for whom an issuer vouches.
type External struct {
	Email    string // as ParseEmail returns it
	Verified bool   // by the issuer
	Name     *string
	Provider string
	Invited  bool // the operator allows the whole domain of the address for this provider
}

// Held is an account that is held until the transaction ends.
type Held struct {
	User
	Password bool // there is one to sign in with
}

// The methods below take the transaction of their caller: what an issuer says about somebody, and the account that comes of it, are
// written together or not at all.

// HoldByEmail finds an account by its address, without letter case, and holds it.
func (s *Service) HoldByEmail(ctx context.Context, tx *postgres.Tx, email string) (Held, bool, error) {
	return hold(ctx, tx, `email_key = $1 AND kind = 'person'`, emailKey(email))
}

// HoldByID is HoldByEmail for an id.
func (s *Service) HoldByID(ctx context.Context, tx *postgres.Tx, id uuid.UUID) (Held, bool, error) {
	return hold(ctx, tx, `id = $1 AND kind = 'person'`, id)
}

func hold(ctx context.Context, tx *postgres.Tx, where string, argument any) (Held, bool, error) {
	var a account
	err := tx.GetContext(ctx, &a, `
		SELECT id, email, name, avatar_url, is_active, is_superuser, is_verified, created_at, password_hash
		FROM users
		WHERE `+where+`
		FOR UPDATE`, argument)
	if errors.Is(err, sql.ErrNoRows) {
		return Held{}, false, nil
	}
	if err != nil {
		return Held{}, false, fmt.Errorf("hold an account: %w", err)
	}
	return Held{User: a.User, Password: a.PasswordHash != ""}, true, nil
}

// SameEmail says whether two addresses are the same account's.
func SameEmail(a, b string) bool { return emailKey(a) == emailKey(b) }

// InDomains compares the whole domain of an address, as ParseEmail returns it, with those of a list: in the form that name servers
// know, so that no spelling passes for another.
func InDomains(email string, domains []string) bool {
	_, own, err := parseDomain(email[len(localPart(email))+1:])
	return err == nil && slices.ContainsFunc(domains, func(allowed string) bool {
		_, ascii, err := parseDomain(allowed)
		return err == nil && ascii == own
	})
}

// CreateExternal makes an account without a password. Who may have one: where registration is open everybody, elsewhere those whom
// the operator allowed by their domain; nowhere those whose domain is not among EmailDomains. ErrTaken means that the address has an
// account by now.
func (s *Service) CreateExternal(ctx context.Context, tx *postgres.Tx, e External) (User, error) {
	if err := s.admitExternal(e); err != nil {
		return User{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return User{}, fmt.Errorf("make an id: %w", err)
	}
	u := User{ID: id, Email: e.Email, Name: e.Name, IsActive: true, IsVerified: e.Verified, CreatedAt: s.cfg.Now()}
	if err := insertUser(ctx, tx, u, ""); err != nil {
		if pq.As(err, pqerror.UniqueViolation) != nil {
			return User{}, ErrTaken
		}
		return User{}, err
	}
	entry := audit.Entry{ActorID: id, Actor: e.Email, Action: "user.create", Object: id.String(), Detail: map[string]any{"provider": e.Provider}}
	if err := audit.Record(ctx, tx, entry); err != nil {
		return User{}, err
	}
	if s.cfg.Hooks.UserCreated == nil {
		return u, nil
	}
	return u, s.cfg.Hooks.UserCreated(ctx, tx, u, "")
}

// ErrTaken is what CreateExternal answers when somebody was faster. The transaction is of no use any more.
var ErrTaken = errors.New("the address has an account by now")

func (s *Service) admitExternal(e External) error {
	switch {
	case s.cfg.RequireVerified && !e.Verified:
		return errNotVerified
	case s.cfg.Registration != RegistrationOpen && !(e.Invited && e.Verified):
		return ErrRegistrationClosed
	}
	return s.domainAllowed(e.Email)
}

// ConfirmEmail notes that the address of an account was proved.
func (s *Service) ConfirmEmail(ctx context.Context, tx *postgres.Tx, u User) error {
	return s.proveAddress(ctx, tx, u)
}

// EndMethod ends the sessions that a user began in one way, but for the one that asks for it.
func (s *Service) EndMethod(ctx context.Context, tx *postgres.Tx, user uuid.UUID, method string, but uuid.UUID) error {
	var ended []uuid.UUID
	err := tx.SelectContext(ctx, &ended, `
		UPDATE sessions SET ended_at = $3
		WHERE user_id = $1 AND method = $2 AND id <> $4 AND ended_at IS NULL
		RETURNING id`, user, method, s.cfg.Now(), but)
	if err != nil {
		return fmt.Errorf("end the sessions of a method: %w", err)
	}
	for _, session := range ended {
		if err := tx.Notify(postgres.TopicSession, session); err != nil {
			return err
		}
	}
	return nil
}

// MaySignIn answers as a login does for those who are known and still have no right to a session.
func (s *Service) MaySignIn(u User) error {
	switch {
	case !u.IsActive:
		return errBadCredentials
	case s.cfg.RequireVerified && !u.IsVerified:
		return errNotVerified
	}
	return nil
}

// AdmitExternal counts a try to sign in by an issuer, under where it comes from: each costs a call to the issuer.
func (s *Service) AdmitExternal(ctx context.Context, from Client) error {
	err := s.admit(ctx, actLogin, "", from)
	if banned(err) {
		return errBadCredentials
	}
	return err
}
