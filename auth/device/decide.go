package device

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/lib/pq"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

func list(texts []string) any { return pq.Array(texts) }

// errSession refuses a key where a person must decide.
var errSession = problem.New(http.StatusForbidden, "An API key cannot let a device in. Sign in in a browser.")

// Look shows a person who asks with the short code. It decides nothing.
func (s *Service) Look(ctx context.Context, who auth.Identity, typed string, from auth.Client) (r Request, err error) {
	if who.Key {
		return r, errSession
	}
	err = s.counted(ctx, who.User.ID, from, func() error {
		r, err = s.open(ctx, typed)
		return err
	})
	return r, err
}

// open reads a request that nobody decided on yet.
func (s *Service) open(ctx context.Context, typed string) (Request, error) {
	code := foldUserCode(typed)
	if code == "" {
		return Request{}, ErrNoCode
	}
	var row struct {
		Name      string         `db:"name"`
		Scopes    pq.StringArray `db:"scopes"`
		IP        string         `db:"ip"`
		UserAgent string         `db:"user_agent"`
		Created   time.Time      `db:"created_at"`
	}
	err := s.db.GetContext(ctx, &row, `
		SELECT name, scopes, ip, user_agent, created_at
		FROM device_requests
		WHERE user_hash = $1 AND expires_at > $2 AND approved IS NULL`, s.hashUser(code), s.cfg.Now())
	if errors.Is(err, sql.ErrNoRows) {
		return Request{}, ErrNoCode
	}
	if err != nil {
		return Request{}, postgres.Problem(fmt.Errorf("read a device's request: %w", err))
	}
	return Request{Name: row.Name, Scopes: row.Scopes, IP: row.IP, UserAgent: row.UserAgent, Created: row.Created}, nil
}

// Decide lets the program in or sends it away, once and for all.
func (s *Service) Decide(ctx context.Context, who auth.Identity, typed string, approve bool, from auth.Client) error {
	if who.Key {
		return errSession
	}
	return s.counted(ctx, who.User.ID, from, func() error {
		return s.db.InTx(ctx, func(tx *postgres.Tx) error { return s.decide(ctx, tx, who, typed, approve, from) })
	})
}

func (s *Service) decide(ctx context.Context, tx *postgres.Tx, who auth.Identity, typed string, approve bool, from auth.Client) error {
	code := foldUserCode(typed)
	if code == "" {
		return ErrNoCode
	}
	var name string
	err := tx.GetContext(ctx, &name, `
		UPDATE device_requests SET approved = $3, user_id = $4
		WHERE user_hash = $1 AND expires_at > $2 AND approved IS NULL
		RETURNING name`, s.hashUser(code), s.cfg.Now(), approve, who.User.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNoCode
	}
	if err != nil {
		return fmt.Errorf("decide on a device's request: %w", err)
	}
	action := "device.deny"
	if approve {
		action = "device.approve"
	}
	return audit.Record(ctx, tx, audit.Entry{
		ActorID: who.User.ID, Actor: who.User.Email, Action: action, Object: name, Detail: map[string]any{"ip": from.IP},
	})
}
