package factor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/body"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Passkey is a passkey as its owner sees it.
type Passkey struct {
	ID         uuid.UUID  `json:"id" db:"id"`
	Name       string     `json:"name" db:"name"`
	CreatedAt  time.Time  `json:"created_at" db:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at" db:"last_used_at"`
}

const (
	maxPasskeys = 20 // of one user
	maxName     = 100
)

var (
	errManyPasskeys = problem.Newf(http.StatusConflict, "You have %d passkeys, which is as many as there may be. Remove one first.", maxPasskeys)
	errBadPasskey   = problem.New(http.StatusBadRequest, "The passkey's answer does not fit what was asked, or came too late. Try again.")
	errKnownPasskey = problem.New(http.StatusConflict, "This passkey is set up already.")
)

// PasskeysAvailable is nil, or says why there are no passkeys here.
func (v *Verifier) PasskeysAvailable() error { return v.noKeys }

// Passkeys lists the passkeys of a user, the oldest first.
func (s *Service) Passkeys(ctx context.Context, user uuid.UUID) ([]Passkey, error) {
	list := []Passkey{}
	err := s.db.SelectContext(ctx, &list, `
		SELECT id, name, created_at, last_used_at
		FROM passkeys
		WHERE user_id = $1
		ORDER BY created_at, id`, user)
	if err != nil {
		return nil, postgres.Problem(fmt.Errorf("list passkeys: %w", err))
	}
	return list, nil
}

// AskNewPasskey begins to set up a passkey.
func (s *Service) AskNewPasskey(ctx context.Context, id auth.Identity) (Ceremony, error) {
	if err := s.users.RequireFresh(id); err != nil {
		return Ceremony{}, err
	}
	if s.noKeys != nil {
		return Ceremony{}, s.noKeys
	}
	o, err := s.owner(ctx, s.db, id.User.ID, id.User.Email)
	if err != nil {
		return Ceremony{}, err
	}
	if len(o.keys) >= maxPasskeys {
		return Ceremony{}, errManyPasskeys
	}
	options, asked, err := s.passkeys.askNew(o)
	if err != nil {
		return Ceremony{}, err
	}
	return s.ceremony(ctx, toRegister, id.User.ID, id.Session.String(), options, asked)
}

func (v *Verifier) ceremony(ctx context.Context, purpose string, user uuid.UUID, binding string, options any, asked []byte) (Ceremony, error) {
	token, err := keepCeremony(ctx, v.db, purpose, user, binding, asked, v.now())
	return Ceremony{Token: token, Options: options}, err
}

// AddPasskey sets up the passkey that the browser answered with. codes are the recovery codes, when there were none before: nobody
// sees them again.
func (s *Service) AddPasskey(ctx context.Context, id auth.Identity, name string, answer auth.PasskeyAnswer) (made Passkey, codes []string, err error) {
	if err := s.mayChange(ctx, id); err != nil {
		return Passkey{}, nil, err
	}
	if name, err = checkName(name); err != nil {
		return Passkey{}, nil, err
	}
	made = Passkey{ID: uuid.Must(uuid.NewV7()), Name: name, CreatedAt: s.now().UTC()}
	credentialID, kept, err := s.newPasskey(ctx, id, answer)
	if err != nil {
		return Passkey{}, nil, err
	}
	err = s.db.InTx(ctx, func(tx *postgres.Tx) error {
		state, err := lockedState(ctx, tx, id.User.ID)
		if err != nil {
			return err
		}
		if state.Passkeys >= maxPasskeys {
			return errManyPasskeys
		}
		if err := insertPasskey(ctx, tx, made, id.User.ID, s.passkeys.id, credentialID, kept); err != nil {
			return err
		}
		codes, err = s.added(ctx, tx, id, "passkey.add", "a passkey was set up")
		return err
	})
	return made, codes, err
}

func (s *Service) newPasskey(ctx context.Context, id auth.Identity, answer auth.PasskeyAnswer) (credentialID []byte, kept json.RawMessage, err error) {
	if s.noKeys != nil {
		return nil, nil, s.noKeys
	}
	asked, err := takeCeremony(ctx, s.db, toRegister, id.User.ID, id.Session.String(), answer.Ceremony, s.now())
	if err != nil {
		return nil, nil, orBadPasskey(err)
	}
	o, err := s.owner(ctx, s.db, id.User.ID, id.User.Email)
	if err != nil {
		return nil, nil, err
	}
	credentialID, kept, err = s.passkeys.checkNew(o, asked, answer.Credential)
	return credentialID, kept, orBadPasskey(err)
}

func orBadPasskey(err error) error {
	if errors.Is(err, errNoMatch) {
		return errBadPasskey.Because(err)
	}
	return err
}

func insertPasskey(ctx context.Context, tx *postgres.Tx, p Passkey, user uuid.UUID, rp string, credentialID []byte, kept json.RawMessage) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO passkeys (id, user_id, rp_id, credential_id, credential, name, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, p.ID, user, rp, credentialID, []byte(kept), p.Name, p.CreatedAt)
	if pq.As(err, pqerror.UniqueViolation) != nil {
		return errKnownPasskey
	}
	if err != nil {
		return fmt.Errorf("insert a passkey: %w", err)
	}
	return nil
}

// RenamePasskey gives a passkey of the user another name.
func (s *Service) RenamePasskey(ctx context.Context, id auth.Identity, passkey uuid.UUID, name string) (p Passkey, err error) {
	if name, err = checkName(name); err != nil {
		return Passkey{}, err
	}
	list := []Passkey{}
	err = s.db.SelectContext(ctx, &list, `
		UPDATE passkeys SET name = $3
		WHERE id = $1 AND user_id = $2
		RETURNING id, name, created_at, last_used_at`, passkey, id.User.ID, name)
	if err != nil {
		return Passkey{}, postgres.Problem(fmt.Errorf("rename a passkey: %w", err))
	}
	if len(list) == 0 {
		return Passkey{}, problem.NotFound
	}
	return list[0], nil
}

// RemovePasskey removes a passkey of the user.
func (s *Service) RemovePasskey(ctx context.Context, id auth.Identity, passkey uuid.UUID) error {
	return s.remove(ctx, id, "passkey.remove", "a passkey was removed", func(tx *postgres.Tx) (audit.Entry, error) {
		result, err := tx.ExecContext(ctx, `DELETE FROM passkeys WHERE id = $1 AND user_id = $2`, passkey, id.User.ID)
		if err := one(result, err, "remove a passkey"); err != nil {
			return audit.Entry{}, err
		}
		return audit.Entry{Object: passkey.String()}, s.keepAWay(ctx, tx, id.User.ID)
	})
}

// checkName takes a name without the blanks around it. An empty one is the usual one.
func checkName(name string) (string, error) {
	name = strings.TrimSpace(name)
	switch {
	case name == "":
		return "Passkey", nil
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return "", problem.Fields(body.Refused("name", "a name may hold no line breaks or other control characters", ""))
	case utf8.RuneCountInString(name) > maxName:
		return "", problem.Fields(body.TooLong("name", maxName, ""))
	}
	return name, nil
}

// AskFactor asks the holder of an open challenge for one of their passkeys.
func (s *Service) AskFactor(ctx context.Context, challenge string, from auth.Client) (Ceremony, error) {
	if err := s.users.AdmitPasskey(ctx, from); err != nil {
		return Ceremony{}, err
	}
	user, _, err := s.users.Challenged(ctx, challenge)
	if err != nil {
		return Ceremony{}, err
	}
	return s.ask(ctx, user, challenge)
}

// AskAgain asks the user of a session for one of their passkeys.
func (s *Service) AskAgain(ctx context.Context, id auth.Identity) (Ceremony, error) {
	return s.ask(ctx, id.User.ID, id.Session.String())
}

func (s *Service) ask(ctx context.Context, user uuid.UUID, binding string) (Ceremony, error) {
	if s.noKeys != nil {
		return Ceremony{}, s.noKeys
	}
	o, err := s.owner(ctx, s.db, user, "")
	if err != nil {
		return Ceremony{}, err
	}
	if len(o.keys) == 0 {
		return Ceremony{}, errNone
	}
	options, asked, err := s.passkeys.ask(o)
	if err != nil {
		return Ceremony{}, err
	}
	return s.ceremony(ctx, asFactor, user, binding, options, asked)
}

// AskAnybody asks a browser, which binding stands for, for a passkey to sign in with.
func (s *Service) AskAnybody(ctx context.Context, binding string, from auth.Client) (Ceremony, error) {
	if s.noKeys != nil {
		return Ceremony{}, s.noKeys
	}
	if err := s.users.AdmitPasskey(ctx, from); err != nil {
		return Ceremony{}, err
	}
	options, asked, err := s.passkeys.askAnybody()
	if err != nil {
		return Ceremony{}, err
	}
	return s.ceremony(ctx, toLogin, uuid.Nil, binding, options, asked)
}

// SignIn says whose passkey answered. It is worth two factors: the key, and what its authenticator asked for.
func (s *Service) SignIn(ctx context.Context, answer auth.PasskeyAnswer, from auth.Client) (auth.SignIn, error) {
	if s.noKeys != nil {
		return auth.SignIn{}, s.noKeys
	}
	if err := s.users.AdmitPasskey(ctx, from); err != nil {
		return auth.SignIn{}, err
	}
	user, err := handleOf(answer.Credential)
	if err != nil {
		return auth.SignIn{}, auth.ErrBadFactor.Because(err)
	}
	asked, err := takeCeremony(ctx, s.db, toLogin, uuid.Nil, answer.Binding, answer.Ceremony, s.now())
	if err != nil {
		return auth.SignIn{}, orNotProven(err)
	}
	err = s.db.InTx(ctx, func(tx *postgres.Tx) error {
		return s.usedPasskey(ctx, tx, user, func(o owner) ([]byte, json.RawMessage, error) {
			return s.passkeys.checkAnybody(o, asked, answer.Credential)
		})
	})
	if err != nil {
		return auth.SignIn{}, err
	}
	return auth.SignIn{User: user, Method: "passkey", Factor: true, From: from}, nil
}

// usePasskey judges an answer as a second factor, and uses up what was asked, both or neither.
func (v *Verifier) usePasskey(ctx context.Context, tx *postgres.Tx, user uuid.UUID, answer auth.PasskeyAnswer) error {
	if v.noKeys != nil {
		return v.noKeys
	}
	asked, err := takeCeremony(ctx, tx, asFactor, user, answer.Binding, answer.Ceremony, v.now())
	if err != nil {
		return orNotProven(err)
	}
	return v.usedPasskey(ctx, tx, user, func(o owner) ([]byte, json.RawMessage, error) {
		return v.passkeys.check(o, asked, answer.Credential)
	})
}

// usedPasskey has an answer judged while the user's passkeys are locked, and keeps the raised counter.
func (v *Verifier) usedPasskey(ctx context.Context, tx *postgres.Tx, user uuid.UUID, check func(owner) ([]byte, json.RawMessage, error)) error {
	if _, err := tx.ExecContext(ctx, `SELECT FROM passkeys WHERE user_id = $1 ORDER BY id FOR UPDATE`, user); err != nil {
		return fmt.Errorf("lock passkeys: %w", err)
	}
	o, err := v.owner(ctx, tx, user, "")
	if err != nil {
		return err
	}
	id, kept, err := check(o)
	if err != nil {
		return orNotProven(err)
	}
	result, err := tx.ExecContext(ctx, `
		UPDATE passkeys SET credential = $3, last_used_at = $4
		WHERE user_id = $1 AND credential_id = $2 AND rp_id = $5`, user, id, []byte(kept), v.now(), v.passkeys.id)
	return orBadFactor(one(result, err, "note the use of a passkey"))
}

func orNotProven(err error) error {
	if errors.Is(err, errNoMatch) {
		return auth.ErrBadFactor.Because(err)
	}
	return err
}

// owner is a user with the passkeys that are good for this host.
func (v *Verifier) owner(ctx context.Context, q sqlx.QueryerContext, user uuid.UUID, email string) (owner, error) {
	kept := []json.RawMessage{}
	err := sqlx.SelectContext(ctx, q, &kept, `
		SELECT credential
		FROM passkeys
		WHERE user_id = $1 AND rp_id = $2
		ORDER BY created_at, id`, user, v.passkeys.id)
	if err != nil {
		return owner{}, postgres.Problem(fmt.Errorf("read passkeys: %w", err))
	}
	return newOwner(user, email, kept)
}
