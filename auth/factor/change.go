package factor

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/mail"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

var errLast = problem.New(http.StatusConflict,
	"A second factor is demanded of you here, and this is your only one. Set up another one before you remove it.")

// mayChange asks for a fresh proof, and slows down who makes one change after the other.
func (s *Service) mayChange(ctx context.Context, id auth.Identity) error {
	if err := s.users.RequireFresh(id); err != nil {
		return err
	}
	return s.users.AdmitFactorChange(ctx, id.User.ID)
}

// added is what goes with a new factor: the session counts as having shown it, and whoever had no recovery codes gets them.
func (s *Service) added(ctx context.Context, tx *postgres.Tx, id auth.Identity, action, what string) (codes []string, err error) {
	state, err := lockedState(ctx, tx, id.User.ID)
	if err != nil {
		return nil, err
	}
	if state.RecoveryCodes == 0 {
		if codes, err = replaceRecovery(ctx, tx, id.User.ID, s.now()); err != nil {
			return nil, err
		}
	}
	if err := s.users.ShowedFactor(ctx, tx, id.Session); err != nil {
		return nil, err
	}
	return codes, s.changed(ctx, tx, id, action, "", what)
}

// remove removes one factor, but not the last one of somebody who must have one. Without any, recovery codes have nothing to stand
// in for, and go.
func (s *Service) remove(ctx context.Context, id auth.Identity, action, what string, gone func(*postgres.Tx) (audit.Entry, error)) error {
	if err := s.mayChange(ctx, id); err != nil {
		return err
	}
	must, err := s.users.FactorRequired(ctx, id.User)
	if err != nil {
		return err
	}
	return s.db.InTx(ctx, func(tx *postgres.Tx) error {
		if _, err := lockedState(ctx, tx, id.User.ID); err != nil { // so that of two who each remove one of two, one is the last
			return err
		}
		entry, err := gone(tx)
		if err != nil {
			return err
		}
		state, err := lockedState(ctx, tx, id.User.ID)
		if err != nil {
			return err
		}
		if !state.Any() {
			if must {
				return errLast
			}
			if err := dropRecovery(ctx, tx, id.User.ID); err != nil {
				return err
			}
		}
		return s.changed(ctx, tx, id, action, entry.Object, what)
	})
}

// changed is what goes with every change: the account's other sessions end, every replica forgets what it knew, the user gets a
// mail, and there is a line in the record.
func (s *Service) changed(ctx context.Context, tx *postgres.Tx, id auth.Identity, action, object, what string) error {
	if err := s.follow(ctx, tx, id.User, id.Session, what); err != nil {
		return err
	}
	return audit.Record(ctx, tx, audit.Entry{ActorID: id.User.ID, Actor: id.User.Email, Action: "factor." + action, Object: object})
}

func (s *Service) follow(ctx context.Context, tx *postgres.Tx, u auth.User, keep uuid.UUID, what string) error {
	if err := s.users.EndOthers(ctx, tx, u.ID, keep); err != nil {
		return err
	}
	if s.mail == nil {
		return nil
	}
	return s.mail.Put(ctx, tx, mail.Message{To: u.Email, Template: "factor-changed", Data: map[string]string{
		"what": what, "time": s.now().UTC().Format("2 January 2006, 15:04 MST"),
	}})
}

// Reset removes all second factors of a user who lost them, and ends all of their sessions. Who may ask for it is for the caller to
// say.
func (s *Service) Reset(ctx context.Context, user uuid.UUID, by auth.Actor) error {
	return s.db.InTx(ctx, func(tx *postgres.Tx) error {
		u := auth.User{ID: user}
		err := tx.GetContext(ctx, &u.Email, `SELECT email FROM users WHERE id = $1 FOR NO KEY UPDATE`, user)
		if err != nil {
			return orNoUser(err)
		}
		for _, statement := range []string{
			`DELETE FROM totp_factors WHERE user_id = $1`,
			`DELETE FROM passkeys WHERE user_id = $1`,
			`DELETE FROM recovery_codes WHERE user_id = $1`,
			`DELETE FROM passkey_ceremonies WHERE user_id = $1`,
		} {
			if _, err := tx.ExecContext(ctx, statement, user); err != nil {
				return fmt.Errorf("remove second factors: %w", err)
			}
		}
		if err := s.follow(ctx, tx, u, uuid.Nil, "an administrator removed all second factors"); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{ActorID: by.ID, Actor: by.Name, Action: "factor.reset", Object: user.String()})
	})
}

func orNoUser(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return problem.NotFound
	}
	return fmt.Errorf("find a user: %w", err)
}

// lockedState returns what the user has and keeps others from changing it: the user's row is the lock.
func lockedState(ctx context.Context, tx *postgres.Tx, user uuid.UUID) (s State, err error) {
	if _, err := tx.ExecContext(ctx, `SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE`, user); err != nil {
		return s, fmt.Errorf("lock a user: %w", err)
	}
	if err := tx.GetContext(ctx, &s, selectState, user); err != nil {
		return s, fmt.Errorf("read second factors: %w", err)
	}
	return s, nil
}

// one makes of a statement that changed no row errNone.
func one(result sql.Result, err error, doing string) error {
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if rows, err := result.RowsAffected(); err != nil || rows != 1 {
		return firstOf(err, errNone)
	}
	return nil
}

func firstOf(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}
