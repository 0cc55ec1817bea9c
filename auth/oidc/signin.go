package oidc

import (
	"context"
	"errors"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/mail"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// recognise returns whose account it is, and makes one for those who have none and may have one. Of many who come at the same time
// for the first time one makes the account; the others look again and find it.
func (s *Service) recognise(ctx context.Context, p *provider, who claims) (auth.User, error) {
	user, err := s.resolve(ctx, p, who)
	if errors.Is(err, auth.ErrTaken) {
		user, err = s.resolve(ctx, p, who)
	}
	if errors.Is(err, auth.ErrTaken) {
		err = errEmailHasUser
	}
	return user, err
}

func (s *Service) resolve(ctx context.Context, p *provider, who claims) (user auth.User, err error) {
	err = s.db.InTx(ctx, func(tx *postgres.Tx) error {
		if user, err = s.owner(ctx, tx, p, who); err != nil {
			return err
		}
		return s.tellGroups(ctx, tx, p, user, who)
	})
	return user, err
}

// owner is whose identity it is, by issuer and subject alone, or becomes it.
func (s *Service) owner(ctx context.Context, tx *postgres.Tx, p *provider, who claims) (auth.User, error) {
	known, found, err := identityOf(ctx, tx, p.issuer, who.Subject)
	if err != nil {
		return auth.User{}, err
	}
	if !found {
		return s.newcomer(ctx, tx, p, who)
	}
	held, _, err := s.cfg.Auth.HoldByID(ctx, tx, known.User)
	if err != nil {
		return auth.User{}, err
	}
	if err := noteUse(ctx, tx, known.ID, p.Name, who, s.cfg.Now()); err != nil {
		return auth.User{}, err
	}
	return s.confirm(ctx, tx, held, who)
}

// confirm notes that the issuer proves the account's own address by now. Where there is a password, whoever set it may not be the
// one who comes from the issuer, so then only a mail proves it.
func (s *Service) confirm(ctx context.Context, tx *postgres.Tx, held auth.Held, who claims) (auth.User, error) {
	if held.IsVerified || held.Password || !who.Verified || !auth.SameEmail(held.Email, who.Email) {
		return held.User, nil
	}
	held.IsVerified = true
	return held.User, s.cfg.Auth.ConfirmEmail(ctx, tx, held.User)
}

// newcomer joins an identity that nobody has to the account of its address, or to a new one.
func (s *Service) newcomer(ctx context.Context, tx *postgres.Tx, p *provider, who claims) (auth.User, error) {
	if who.Email == "" {
		return auth.User{}, errNoEmail
	}
	held, found, err := s.cfg.Auth.HoldByEmail(ctx, tx, who.Email)
	if err != nil {
		return auth.User{}, err
	}
	if found {
		if _, meanwhile, err := identityOf(ctx, tx, p.issuer, who.Subject); err != nil || meanwhile {
			return auth.User{}, firstOf(err, auth.ErrTaken) // it came with the account, a moment ago
		}
		return held.User, s.join(ctx, tx, p, held, who)
	}
	user, err := s.create(ctx, tx, p, who)
	if err != nil {
		return auth.User{}, err
	}
	return user, insertIdentity(ctx, tx, user.ID, p, who, s.cfg.Now(), true)
}

// join links by the address alone, which takes proof of it on both sides: an account that nobody verified may have been made by
// somebody who waits for the owner of the address to come. An address that the issuer gave to another person since is no proof
// either: whoever has an identity there already keeps it.
func (s *Service) join(ctx context.Context, tx *postgres.Tx, p *provider, held auth.Held, who claims) error {
	if !who.Verified || !held.IsVerified || !held.IsActive {
		return errEmailHasUser
	}
	other, err := hasIdentity(ctx, tx, held.ID, p.issuer)
	if err != nil {
		return err
	}
	if other {
		return errEmailHasUser
	}
	if err := insertIdentity(ctx, tx, held.ID, p, who, s.cfg.Now(), true); err != nil {
		return err
	}
	return s.record(ctx, tx, held.User, "identity.link", p.Name, map[string]any{"by": "verified address"})
}

func (s *Service) create(ctx context.Context, tx *postgres.Tx, p *provider, who claims) (auth.User, error) {
	invited := auth.InDomains(who.Email, p.AllowedDomains)
	if len(p.AllowedDomains) > 0 && !(invited && who.Verified) {
		return auth.User{}, auth.ErrRegistrationClosed
	}
	return s.cfg.Auth.CreateExternal(ctx, tx, auth.External{
		Email: who.Email, Verified: who.Verified, Name: who.Name, Provider: p.Name, Invited: invited,
	})
}

func (s *Service) tellGroups(ctx context.Context, tx *postgres.Tx, p *provider, u auth.User, who claims) error {
	if s.cfg.Groups == nil || !who.Told || !u.IsActive {
		return nil
	}
	return s.cfg.Groups(ctx, tx, u, p.Name, who.Groups)
}

// record writes the line of what happened to a user's identities, and has a mail sent: whoever did it may be somebody else.
func (s *Service) record(ctx context.Context, tx *postgres.Tx, u auth.User, action, provider string, detail map[string]any) error {
	err := audit.Record(ctx, tx, audit.Entry{ActorID: u.ID, Actor: u.Email, Action: action, Object: provider, Detail: detail})
	if err != nil || s.cfg.Mail == nil {
		return err
	}
	what := "signing in by " + s.titleOf(provider) + " was linked"
	if action == "identity.unlink" {
		what = "signing in by " + s.titleOf(provider) + " was unlinked"
	}
	return s.cfg.Mail.Put(ctx, tx, mail.Message{To: u.Email, Template: "factor-changed", Data: map[string]string{
		"what": what, "time": s.cfg.Now().UTC().Format("2 January 2006, 15:04 MST"),
	}})
}
