package auth

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// RegistrationOpen returns nil, or REGISTRATION_CLOSED when strangers may not register.
func (s *Service) RegistrationOpen() error {
	if s.cfg.Registration != RegistrationOpen {
		return ErrRegistrationClosed
	}
	return nil
}

// Register makes an account, where registration is open.
func (s *Service) Register(ctx context.Context, r Registration) (User, error) {
	if err := s.RegistrationOpen(); err != nil {
		return User{}, err
	}
	if err := s.admit(ctx, actRegister, r.Email, r.From); err != nil {
		return User{}, err
	}
	if err := s.domainAllowed(r.Email); err != nil {
		return User{}, err
	}
	return s.create(ctx, r, creation{ask: s.cfg.Hooks.MayRegister})
}

// CreateUser makes an account whatever the registration mode, for the command line. A superuser counts as verified.
func (s *Service) CreateUser(ctx context.Context, r Registration, superuser bool) (User, error) {
	return s.create(ctx, r, creation{superuser: superuser, actor: "command line"})
}

// creation is how an account comes about.
type creation struct {
	superuser bool
	verified  bool                                             // the address is known to be theirs
	open      bool                                             // without a password: they choose one by a link
	silent    bool                                             // nobody is mailed to prove their address
	by        uuid.UUID                                        // the superuser who makes it
	ask       func(ctx context.Context, r Registration) error  // asked last, and may refuse; nil: nobody is
	actor     string                                           // recorded, when it is not the person who registers
	claim     func(ctx context.Context, tx *postgres.Tx) error // what must hold in the same transaction; for superusers
}

// create is the one path to an account. The hash is made before the transaction begins, so that no connection waits for it.
func (s *Service) create(ctx context.Context, r Registration, how creation) (User, error) {
	if faults := r.Faults(); len(faults) > 0 {
		return User{}, problem.Fields(faults...)
	}
	email, _ := ParseEmail(r.Email) // cannot fail without a fault
	if err := s.checkFirst(ctx, r.Password, email, how); err != nil {
		return User{}, err
	}
	if _, taken, err := s.FindByEmail(ctx, email); taken || err != nil {
		return User{}, firstOf(err, errUserExists)
	}
	if how.ask != nil {
		if err := how.ask(ctx, r); err != nil {
			return User{}, err
		}
	}
	hash, err := s.firstHash(ctx, r.Password, how)
	if err != nil {
		return User{}, err
	}
	u := User{Email: email, Name: r.Name, IsActive: true, IsSuperuser: how.superuser, IsVerified: how.superuser || how.verified, CreatedAt: s.cfg.Now()}
	if u.ID, err = uuid.NewV7(); err != nil {
		return User{}, fmt.Errorf("make an id: %w", err)
	}
	return u, s.db.InTx(ctx, func(tx *postgres.Tx) error { return s.store(ctx, tx, u, hash, orEmpty(r.TeamName), how) })
}

// checkFirst judges the password of a new account, where it has one.
func (s *Service) checkFirst(ctx context.Context, password, email string, how creation) error {
	if how.open {
		return nil
	}
	return s.checkPassword(ctx, "REGISTER_INVALID_PASSWORD", password, email)
}

// firstHash is empty where there is no password: nothing matches it.
func (s *Service) firstHash(ctx context.Context, password string, how creation) (string, error) {
	if how.open {
		return "", nil
	}
	return s.hasher.hash(ctx, password)
}

func (s *Service) store(ctx context.Context, tx *postgres.Tx, u User, hash, teamName string, how creation) error {
	if err := s.prepare(ctx, tx, how); err != nil {
		return err
	}
	if err := insertUser(ctx, tx, u, hash); err != nil {
		if pq.As(err, pqerror.UniqueViolation) != nil {
			return errUserExists
		}
		return err
	}
	if how.actor != "" {
		entry := audit.Entry{ActorID: how.by, Actor: how.actor, Action: "user.create", Object: u.ID.String(), Detail: map[string]any{"superuser": u.IsSuperuser}}
		if err := audit.Record(ctx, tx, entry); err != nil {
			return err
		}
	}
	if s.MustVerify(u) && !how.silent { // otherwise the contract sends nothing
		if err := s.sendVerify(ctx, tx, u); err != nil {
			return err
		}
	}
	if s.cfg.Hooks.UserCreated == nil {
		return nil
	}
	return s.cfg.Hooks.UserCreated(ctx, tx, u, teamName)
}

// prepare does what must come before the user in the transaction. A superuser ends the setup, however they come about.
func (s *Service) prepare(ctx context.Context, tx *postgres.Tx, how creation) error {
	if !how.superuser {
		return nil
	}
	if err := lockSuperusers(ctx, tx); err != nil {
		return err
	}
	if how.claim != nil {
		if err := how.claim(ctx, tx); err != nil {
			return err
		}
	}
	return closeSetup(ctx, tx, s.cfg.Now())
}

func firstOf(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
