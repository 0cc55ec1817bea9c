package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// kindOffline is how sessions that refresh tokens keep going are listed.
const kindOffline = "offline"

// Session is a session that lives, as its user sees it.
type Session struct {
	ID       uuid.UUID `json:"id" db:"id"`
	Kind     string    `json:"kind" db:"kind"`     // browser, token or offline
	Method   string    `json:"method" db:"method"` // how they signed in
	Device   string    `json:"device" db:"user_agent"`
	IP       string    `json:"ip" db:"ip"`
	Created  time.Time `json:"created_at" db:"created_at"`
	LastSeen time.Time `json:"last_seen_at" db:"last_seen_at"` // to the minute
	Expires  time.Time `json:"expires_at" db:"expires_at"`
	Current  bool      `json:"current" db:"-"` // the one that asks
}

// Sessions returns a page of the caller's sessions that live, the newest first. next is uuid.Nil behind the last page.
func (s *Service) Sessions(ctx context.Context, id Identity, limit int, after uuid.UUID) (page []Session, next uuid.UUID, err error) {
	page, err = sessionsOf(ctx, s.db, id.User.ID, s.cfg.Now(), s.idleSince(), after, limit+1)
	if err != nil {
		return nil, uuid.Nil, postgres.Problem(err)
	}
	if len(page) > limit {
		page, next = page[:limit], page[limit-1].ID
	}
	for i := range page {
		page[i] = page[i].shown(id)
	}
	return page, next, nil
}

func (s Session) shown(to Identity) Session {
	s.Device, s.Current = Device(s.Device), !to.Key && s.ID == to.Session
	s.Created, s.LastSeen, s.Expires = s.Created.UTC(), s.LastSeen.UTC(), s.Expires.UTC()
	return s
}

// idleSince is when a session must have been used to live on; long ago when there is no such limit.
func (s *Service) idleSince() time.Time {
	if s.cfg.SessionIdle == 0 {
		return time.Time{}
	}
	return s.cfg.Now().Add(-s.cfg.SessionIdle)
}

// EndSession ends one of the caller's sessions; problem.NotFound when they have none such.
func (s *Service) EndSession(ctx context.Context, id Identity, session uuid.UUID) error {
	return s.db.InTx(ctx, func(tx *postgres.Tx) error {
		if found, err := endSessionOf(ctx, tx, id.User.ID, session, s.cfg.Now()); err != nil || !found {
			return firstOf(err, problem.NotFound)
		}
		if err := recordEnd(ctx, tx, id, "session.end", session.String()); err != nil {
			return err
		}
		return tx.Notify(postgres.TopicSession, session)
	})
}

// EndOtherSessions ends all of the caller's sessions but the one that asks.
func (s *Service) EndOtherSessions(ctx context.Context, id Identity) error {
	return s.db.InTx(ctx, func(tx *postgres.Tx) error {
		if err := s.EndOthers(ctx, tx, id.User.ID, id.Session); err != nil {
			return err
		}
		return recordEnd(ctx, tx, id, "session.end-others", id.User.ID.String())
	})
}

// EndAllSessions ends all of the caller's sessions.
func (s *Service) EndAllSessions(ctx context.Context, id Identity) error {
	return s.db.InTx(ctx, func(tx *postgres.Tx) error {
		if err := s.EndAll(ctx, tx, id.User.ID); err != nil {
			return err
		}
		return recordEnd(ctx, tx, id, "session.end-all", id.User.ID.String())
	})
}

func recordEnd(ctx context.Context, tx *postgres.Tx, id Identity, action, object string) error {
	return audit.Record(ctx, tx, audit.Entry{ActorID: id.User.ID, Actor: id.User.Email, Action: action, Object: object})
}

func sessionsOf(
	ctx context.Context, db *postgres.DB, user uuid.UUID, now, usedSince time.Time, after uuid.UUID, limit int,
) (sessions []Session, err error) {
	sessions = []Session{}
	err = db.SelectContext(ctx, &sessions, `
		SELECT id, CASE WHEN offline THEN '`+kindOffline+`' ELSE kind END AS kind, method, user_agent, ip,
			created_at, last_seen_at, expires_at
		FROM sessions
		WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2
			AND (last_seen_at >= $3 OR kind = 'token' AND NOT offline)
			AND ($4::uuid IS NULL OR id < $4)
		ORDER BY id DESC
		LIMIT $5`, user, now, usedSince, uuid.NullUUID{UUID: after, Valid: after != uuid.Nil}, limit)
	if err != nil {
		return nil, fmt.Errorf("list the sessions of a user: %w", err)
	}
	return sessions, nil
}

// endSessionOf says false when the user has no such session that lives.
func endSessionOf(ctx context.Context, tx *postgres.Tx, user, session uuid.UUID, now time.Time) (bool, error) {
	result, err := tx.ExecContext(ctx, `
		UPDATE sessions SET ended_at = $3
		WHERE id = $2 AND user_id = $1 AND ended_at IS NULL AND expires_at > $3`, user, session, now)
	if err != nil {
		return false, fmt.Errorf("end one of a user's sessions: %w", err)
	}
	rows, err := result.RowsAffected()
	return rows == 1, err
}
