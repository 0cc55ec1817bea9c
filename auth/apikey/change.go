package apikey

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Act is a change of somebody's keys: whose, by whom, and by what right.
type Act struct {
	Owner   uuid.UUID // of the keys
	Team    uuid.UUID // whose service account the owner is; uuid.Nil for a person, who decides on their own keys
	ActorID uuid.UUID
	Actor   string       // the address of who acts
	Scope   access.Scope // of the key that is used for it, which makes and changes none above itself; access.NoScope for a session
	Key     uuid.UUID    // that key: once it has ended it changes nothing more; uuid.Nil for a session
	Expires *time.Time   // of that key: what it makes lasts no longer
	// Allowed is asked in the transaction, before anything is changed. Nil: yes.
	Allowed func(ctx context.Context, tx *postgres.Tx) error
}

// admit refuses what the key that is used does not allow.
func (a Act) admit(scope access.Scope) error {
	if !a.Scope.Covers(scope) {
		return access.ErrScope
	}
	return nil
}

// until is when a key may end that was asked to end then: no later than the one that is used.
func (a Act) until(asked *time.Time) (*time.Time, error) {
	switch {
	case a.Expires == nil:
		return asked, nil
	case asked == nil:
		return a.Expires, nil
	case asked.After(*a.Expires):
		return nil, errOutlives
	}
	return asked, nil
}

// inTx runs change where the act is allowed. The owner's row is locked, before anything else is: of changes to the keys of one owner, one
// comes after the other, and none of them waits in a circle with what ends them all.
func (s *Service) inTx(ctx context.Context, a Act, change func(tx *postgres.Tx) error) error {
	return s.db.InTx(ctx, func(tx *postgres.Tx) error {
		if err := lockOwner(ctx, tx, a.Owner); err != nil {
			return err
		}
		if err := s.stands(ctx, tx, a); err != nil {
			return err
		}
		if a.Allowed != nil {
			if err := a.Allowed(ctx, tx); err != nil {
				return err
			}
		}
		return change(tx)
	})
}

// stands refuses a key that has ended while it waited for the lock.
func (s *Service) stands(ctx context.Context, tx *postgres.Tx, a Act) error {
	if a.Key == uuid.Nil {
		return nil
	}
	k, _, err := find(ctx, tx, a.Owner, a.Key)
	if errors.Is(err, ErrMissing) || err == nil && k.Over(s.cfg.Now()) {
		return problem.Unauthorized
	}
	return err
}

// record writes the change down, without the key, and has every replica forget what it knows of it.
func (a Act) record(ctx context.Context, tx *postgres.Tx, action string, k Key, more map[string]any) error {
	detail := map[string]any{"name": k.Name, "prefix": k.Prefix, "scopes": []string(k.Scopes), "owner": a.Owner}
	for name, value := range more {
		detail[name] = value
	}
	team := a.Team
	if k.TeamID != nil {
		team = *k.TeamID
	}
	entry := audit.Entry{Team: team, ActorID: a.ActorID, Actor: a.Actor, Action: action, Object: k.ID.String(), Detail: detail}
	if err := audit.Record(ctx, tx, entry); err != nil {
		return err
	}
	return tx.Notify(postgres.TopicSession, k.ID)
}

// Change is what is to be different of a key. Nil fields stay.
type Change struct {
	Name      *string
	Scopes    []string // narrower than they are; nil: stay
	ExpiresAt *time.Time
	Lasting   bool // expires no more; ExpiresAt does not count then
}

// Faults says what is wrong with a change, in the order of its fields.
func (c Change) Faults(now time.Time) []problem.Field {
	d := Draft{Name: "unchanged", Scopes: c.Scopes, ExpiresAt: c.ExpiresAt}
	if c.Name != nil {
		d.Name = *c.Name
	}
	return d.Faults(now)
}

// Prolongs says whether k is good for longer after the change.
func (c Change) Prolongs(k Key) bool {
	return k.ExpiresAt != nil && (c.Lasting || c.ExpiresAt != nil && c.ExpiresAt.After(*k.ExpiresAt))
}

// Update changes a key's name, scopes and expiry.
func (s *Service) Update(ctx context.Context, a Act, id uuid.UUID, c Change) (Key, error) {
	if faults := c.Faults(s.cfg.Now()); len(faults) > 0 {
		return Key{}, problem.Fields(faults...)
	}
	var k Key
	err := s.inTx(ctx, a, func(tx *postgres.Tx) (err error) {
		var replaced bool
		if k, replaced, err = find(ctx, tx, a.Owner, id); err != nil {
			return err
		}
		if err := s.changeable(a, k, replaced); err != nil {
			return err
		}
		changed, err := a.apply(k, c)
		if err != nil || same(k, changed) {
			return err
		}
		k = changed
		if err := update(ctx, tx, k); err != nil {
			return err
		}
		return a.record(ctx, tx, "key.change", k, map[string]any{"expires_at": k.ExpiresAt})
	})
	return k.utc(), err
}

// changeable refuses what would bring a key back: one that is over, or that another took the place of.
func (s *Service) changeable(a Act, k Key, replaced bool) error {
	switch {
	case k.Over(s.cfg.Now()):
		return errOver
	case replaced:
		return errReplaced
	}
	return a.admit(k.Scope())
}

// apply is the key as it is to be.
func (a Act) apply(k Key, c Change) (Key, error) {
	if c.Name != nil {
		k.Name = *c.Name
	}
	if c.Scopes != nil {
		narrower := Highest(c.Scopes)
		if !k.Scope().Covers(narrower) {
			return k, errWider
		}
		k.Scopes = full(narrower)
	}
	if c.ExpiresAt == nil && !c.Lasting {
		return k, nil
	}
	if c.Lasting {
		c.ExpiresAt = nil
	}
	until, err := a.until(c.ExpiresAt)
	k.ExpiresAt = until
	return k, err
}

func same(a, b Key) bool {
	return a.Name == b.Name && a.Scope() == b.Scope() && (a.ExpiresAt == nil) == (b.ExpiresAt == nil) &&
		(a.ExpiresAt == nil || a.ExpiresAt.Equal(*b.ExpiresAt))
}

// Revoke ends a key for good. When it returns, the key is not accepted on this replica any more; others follow at once.
func (s *Service) Revoke(ctx context.Context, a Act, id uuid.UUID) error {
	return s.inTx(ctx, a, func(tx *postgres.Tx) error {
		k, _, err := find(ctx, tx, a.Owner, id)
		if err != nil {
			return err
		}
		if err := a.admit(k.Scope()); err != nil {
			return err
		}
		if err := revoke(ctx, tx, id, s.cfg.Now()); err != nil {
			return err
		}
		return a.record(ctx, tx, "key.revoke", k, nil)
	})
}

// RevokeAll ends, in the caller's transaction, all keys of an owner who is put out.
func (s *Service) RevokeAll(ctx context.Context, tx *postgres.Tx, owner uuid.UUID) error {
	if err := revokeAll(ctx, tx, owner, s.cfg.Now()); err != nil {
		return err
	}
	return tx.Notify(postgres.TopicUser, owner)
}
