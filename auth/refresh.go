package auth

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/base32"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

const (
	actRefresh    = "refresh"
	refreshLength = 52 // twice rand.Text, and SHA-256 in base32
)

// Refresh gives a new access token and the refresh token that comes after the given one, which is used up. For a short while after
// that it gives the same successor once more, to a client that lost an answer or asked twice at a time; later it shows that
// somebody has a copy, and the session ends. What is no good in any way is problem.Unauthorized.
func (s *Service) Refresh(ctx context.Context, token string, from Client) (Token, error) {
	if err := s.admit(ctx, actRefresh, "", from); err != nil {
		return Token{}, err
	}
	if len(token) != refreshLength {
		return Token{}, problem.Unauthorized
	}
	var row sessionRow
	var next string
	err := s.db.InTx(ctx, func(tx *postgres.Tx) (err error) {
		if row, err = s.lockOffline(ctx, tx, token); err != nil {
			return err
		}
		next, err = s.rotate(ctx, tx, row, token, from)
		return err
	})
	if err != nil {
		return Token{}, err
	}
	if next == "" { // the session has ended, which an error would have undone
		return Token{}, problem.Unauthorized
	}
	return s.token(row.ID, row.Session, row.Expires, next)
}

// lockOffline returns the session that a token belongs to, if it still lives, and makes others who refresh it wait.
func (s *Service) lockOffline(ctx context.Context, tx *postgres.Tx, token string) (sessionRow, error) {
	row, err := lockByRefreshToken(ctx, tx, hashRefresh(token))
	if errors.Is(err, sql.ErrNoRows) {
		return sessionRow{}, problem.Unauthorized
	}
	if err != nil {
		return sessionRow{}, err
	}
	if !newProof(row, row.Expires, s.idleOf(row)).good(s.cfg.Now()) {
		return sessionRow{}, problem.Unauthorized
	}
	return row, s.mayAct(row.User)
}

// rotate uses a token up and returns its successor. It returns none when it had to end the session.
func (s *Service) rotate(ctx context.Context, tx *postgres.Tx, row sessionRow, token string, from Client) (string, error) {
	now := s.cfg.Now()
	used, err := useOfRefreshToken(ctx, tx, hashRefresh(token))
	switch {
	case err != nil:
		return "", err
	case used == nil:
		err = useRefreshToken(ctx, tx, hashRefresh(token), row.Session, now)
	case now.Sub(*used) > s.cfg.RefreshGrace:
		return "", s.endCopied(ctx, tx, row, from)
	}
	if err != nil {
		return "", err
	}
	return s.newest(ctx, tx, row.Session, token, now)
}

// newest follows the successors of a used token to the one that nobody used yet: a family never has two, so that of two holders of
// a copy the slower one shows.
func (s *Service) newest(ctx context.Context, tx *postgres.Tx, session uuid.UUID, token string, now time.Time) (string, error) {
	for {
		token = s.successor(token)
		used, err := useOfRefreshToken(ctx, tx, hashRefresh(token))
		if errors.Is(err, sql.ErrNoRows) {
			return token, insertRefreshToken(ctx, tx, hashRefresh(token), session, now)
		}
		if err != nil || used == nil {
			return token, err
		}
	}
}

// successor makes of a token the next one. Tokens are not kept in the clear, so a repeated answer must be made anew: from the token
// that was sent and a key that only servers have.
func (s *Service) successor(token string) string {
	mac := hmac.New(sha256.New, s.refreshKey)
	mac.Write([]byte(token))
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil))
}

func newRefreshKey(secret []byte) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, "openhands-saas refresh tokens", sha256.Size)
	if err != nil {
		panic(err) // only for a length that HKDF cannot give
	}
	return key
}

// endCopied ends a session of whose tokens somebody has a copy. Which of the two is the thief nobody can tell.
func (s *Service) endCopied(ctx context.Context, tx *postgres.Tx, row sessionRow, from Client) error {
	if err := endSession(ctx, tx, row.Session, s.cfg.Now()); err != nil {
		return err
	}
	err := audit.Record(ctx, tx, audit.Entry{
		ActorID: row.ID, Actor: row.Email, Action: "session.refresh-reuse", Object: row.Session.String(),
		Detail: map[string]any{"ip": printable(from.IP)},
	})
	if err != nil {
		return err
	}
	return tx.Notify(postgres.TopicSession, row.Session)
}
