package auth

import (
	"context"

	"github.com/google/uuid"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Change is what is to become of an account. What is nil stays as it is.
type Change struct {
	Password  *string
	Email     *string
	IsActive  *bool
	Superuser *bool
	Verified  *bool
	Name      *Text
	AvatarURL *Text
}

// Text is a text that may be none.
type Text struct{ Value *string }

// UpdateMe changes one's own account. Nobody gives rights to themself. The session that asks stays when the password changes.
func (s *Service) UpdateMe(ctx context.Context, id Identity, c Change) (User, error) {
	c.IsActive, c.Superuser, c.Verified = nil, nil, nil
	if err := s.admitChange(ctx, id.User.ID, c); err != nil {
		return User{}, err
	}
	return s.update(ctx, updating{by: id.Actor(), keep: id.Session, user: id.User.ID, strict: !id.User.IsSuperuser}, c)
}

// UpdateUser changes any account, for a superuser. One that is not there is access.ErrHidden.
func (s *Service) UpdateUser(ctx context.Context, by Identity, user uuid.UUID, c Change) (User, error) {
	return s.update(ctx, updating{by: by.Actor(), keep: by.Session, user: user}, c)
}

// updating is who changes which account.
type updating struct {
	by   Actor
	keep uuid.UUID // what asks: a session of that account stays; an API key or somebody else's session is none
	user uuid.UUID
	// strict holds a new address to the domains of those who make accounts by themselves.
	strict bool
	action string // in the audit log; user.update by default
	hash   string // of the new password; empty: it stays
}

// update judges everything before it changes anything: the password, then the address.
func (s *Service) update(ctx context.Context, u updating, c Change) (User, error) {
	a, err := accountByID(ctx, s.db, u.user, "")
	if err != nil {
		return User{}, postgres.Problem(err)
	}
	if a.ID == uuid.Nil {
		return User{}, access.ErrHidden
	}
	if err := s.judge(ctx, a, &c); err != nil {
		return User{}, err
	}
	if c.Email != nil && u.strict {
		if err := s.domainAllowed(*c.Email); err != nil {
			return User{}, err
		}
	}
	if c.Password != nil {
		if u.hash, err = s.hasher.hash(ctx, *c.Password); err != nil {
			return User{}, err
		}
	}
	var after User
	err = s.db.InTx(ctx, func(tx *postgres.Tx) error {
		after, err = s.apply(ctx, tx, u, c)
		return err
	})
	return after, err
}

// judge applies the rules of the contract, and leaves of the address only what is a change.
func (s *Service) judge(ctx context.Context, a account, c *Change) error {
	if c.Password != nil {
		if err := s.checkPassword(ctx, "UPDATE_USER_INVALID_PASSWORD", *c.Password, a.Email); err != nil {
			return err
		}
	}
	if c.Email == nil {
		return nil
	}
	email, err := ParseEmail(*c.Email)
	if err != nil {
		return problem.Fields(EmailFaults(*c.Email)...)
	}
	if c.Email = &email; email == a.Email {
		c.Email = nil
		return nil
	}
	if _, taken, err := s.FindByEmail(ctx, email); taken || err != nil { // one's own in other letters is taken, too
		return firstOf(err, errEmailTaken)
	}
	return nil
}

// apply writes the change of a locked account together with what follows from it.
func (s *Service) apply(ctx context.Context, tx *postgres.Tx, u updating, c Change) (User, error) {
	before, err := s.lockForUpdate(ctx, tx, u.user, c)
	if err != nil {
		return User{}, err
	}
	if before.ID == uuid.Nil {
		return User{}, access.ErrHidden
	}
	after := c.of(before.User)
	if same(before.User, after) && u.hash == "" {
		return before.User, nil
	}
	if err := saveUser(ctx, tx, after); err != nil {
		if pq.As(err, pqerror.UniqueViolation) != nil {
			return User{}, errEmailTaken
		}
		return User{}, err
	}
	return after, s.follow(ctx, tx, u, before.User, after)
}

// lockForUpdate takes the lock of superusers first, where the change could make or unmake one.
func (s *Service) lockForUpdate(ctx context.Context, tx *postgres.Tx, user uuid.UUID, c Change) (account, error) {
	if c.Superuser != nil || c.IsActive != nil {
		if err := lockSuperusers(ctx, tx); err != nil {
			return account{}, err
		}
	}
	return accountByID(ctx, tx, user, forUpdate)
}

// of returns the user as the change leaves them. A new address is not proved, unless the change says so itself.
func (c Change) of(u User) User {
	if c.Email != nil {
		u.Email, u.IsVerified = *c.Email, false
	}
	for flag, to := range map[*bool]*bool{&u.IsActive: c.IsActive, &u.IsSuperuser: c.Superuser, &u.IsVerified: c.Verified} {
		if to != nil {
			*flag = *to
		}
	}
	if c.Name != nil {
		u.Name = c.Name.Value
	}
	if c.AvatarURL != nil {
		u.AvatarURL = c.AvatarURL.Value
	}
	return u
}

func same(a, b User) bool {
	names, avatars := sameText(a.Name, b.Name), sameText(a.AvatarURL, b.AvatarURL)
	a.Name, a.AvatarURL, b.Name, b.AvatarURL = nil, nil, nil, nil
	return names && avatars && a == b
}

func sameText(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }
