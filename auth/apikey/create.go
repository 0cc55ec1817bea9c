package apikey

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Create makes a key. What it returns holds the only copy. Keys of a service account are bound to its team.
func (s *Service) Create(ctx context.Context, a Act, d Draft) (Created, error) {
	now := s.cfg.Now()
	if d.TeamID == nil && a.Team != uuid.Nil {
		d.TeamID = &a.Team
	}
	if faults := d.Faults(now); len(faults) > 0 {
		return Created{}, problem.Fields(faults...)
	}
	until, err := a.until(d.ExpiresAt)
	if err != nil {
		return Created{}, err
	}
	made, err := draw(Key{Name: d.Name, Scopes: full(Highest(d.Scopes)), TeamID: d.TeamID, ExpiresAt: until}, now)
	if err != nil {
		return Created{}, err
	}
	err = s.inTx(ctx, a, func(tx *postgres.Tx) error {
		if err := s.bind(ctx, tx, a, d.TeamID); err != nil {
			return err
		}
		return s.add(ctx, tx, a, made, Most, "key.create", nil)
	})
	if err != nil {
		return Created{}, err
	}
	return made, nil
}

// draw completes a key with what is new of every one.
func draw(k Key, now time.Time) (Created, error) {
	secret, err := generate()
	if err != nil {
		return Created{}, err
	}
	if k.ID, err = uuid.NewV7(); err != nil {
		return Created{}, fmt.Errorf("make an id: %w", err)
	}
	k.Prefix, k.CreatedAt, k.LastUsedAt = prefixOf(secret), now.Truncate(time.Microsecond), nil
	return Created{Key: k.utc(), Secret: secret}, nil
}

// bind asks whether a person's key may be bound to that team. Of service accounts' keys the act says it all.
func (s *Service) bind(ctx context.Context, tx *postgres.Tx, a Act, team *uuid.UUID) error {
	switch {
	case team == nil || a.Team == *team:
		return nil
	case a.Team != uuid.Nil || s.cfg.MayBind == nil:
		return problem.New(http.StatusNotFound, "Team not found")
	}
	return s.cfg.MayBind(ctx, tx, a.Owner, *team)
}

// add writes a new key where the owner has fewer than most.
func (s *Service) add(ctx context.Context, tx *postgres.Tx, a Act, made Created, most int, action string, more map[string]any) error {
	if err := a.admit(made.Scope()); err != nil {
		return err
	}
	n, err := count(ctx, tx, a.Owner, made.CreatedAt)
	if err != nil {
		return err
	}
	if n >= most {
		return errTooMany
	}
	if err := insert(ctx, tx, a, made); err != nil {
		return err
	}
	return a.record(ctx, tx, action, made.Key, more)
}

// Rotation says how a key is to be replaced.
type Rotation struct {
	Overlap   time.Duration // how long the old one is good beside the new one
	ExpiresAt *time.Time    // of the new one; nil: as the old one's
}

// The bounds of Rotation.Overlap, and what it is when nobody says.
const (
	DefaultOverlap = 24 * time.Hour
	MaxOverlap     = 30 * 24 * time.Hour
)

// Rotate makes a key that takes another's place, with the same name, team and scopes. Who has all the keys that they may have can
// rotate them all.
func (s *Service) Rotate(ctx context.Context, a Act, id uuid.UUID, r Rotation) (Created, error) {
	now := s.cfg.Now()
	if faults := timeFaults(r.ExpiresAt, now); len(faults) > 0 {
		return Created{}, problem.Fields(faults...)
	}
	var made Created
	err := s.inTx(ctx, a, func(tx *postgres.Tx) error {
		old, replaced, err := find(ctx, tx, a.Owner, id)
		if err != nil {
			return err
		}
		if err := s.changeable(a, old, replaced); err != nil {
			return err
		}
		if made, err = a.successor(old, r, now); err != nil {
			return err
		}
		if err := s.add(ctx, tx, a, made, 2*Most, "key.rotate", map[string]any{"replaces": old.ID, "overlap_seconds": int(r.Overlap.Seconds())}); err != nil {
			return err
		}
		return expire(ctx, tx, old, made.ID, now.Add(r.Overlap))
	})
	if err != nil {
		return Created{}, err
	}
	return made, nil
}

// successor is what takes a key's place.
func (a Act) successor(old Key, r Rotation, now time.Time) (Created, error) {
	if r.ExpiresAt == nil {
		r.ExpiresAt = old.ExpiresAt
	}
	until, err := a.until(r.ExpiresAt)
	if err != nil {
		return Created{}, err
	}
	old.ExpiresAt = until
	return draw(old, now)
}
