package auth

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// NewAccount is what an administrator gives for somebody else's account.
type NewAccount struct {
	Registration      // without a password, the person chooses one by the set-up link
	Superuser    bool // counts as verified
	Verified     bool
}

// SetupLifetime is how long a one-time set-up link is good for.
const SetupLifetime = 7 * 24 * time.Hour

// SetupURL is where a person chooses their first password, as it is given to whoever made the account.
type SetupURL struct {
	Link    string    `json:"setup_link"`
	Expires time.Time `json:"setup_link_expires_at"`
}

// AdminCreate makes an account whatever the registration mode and the address's domain. Without a password it comes with the
// one-time link by which the person chooses one; the link is nowhere else.
func (s *Service) AdminCreate(ctx context.Context, by Actor, n NewAccount) (User, *SetupURL, error) {
	how := creation{superuser: n.Superuser, verified: n.Verified, open: n.Password == "", by: by.ID, actor: by.Name}
	u, err := s.create(ctx, n.Registration, how)
	if err != nil || !how.open {
		return u, nil, err
	}
	link, err := s.SetupLinkFor(ctx, by, u.ID)
	return u, link, err
}

// SetupLinkFor makes a one-time link by which a user chooses a password, where there is no mail or it did not arrive. Earlier links
// of the user end. Whoever holds it gets the account, so it is for that person alone.
func (s *Service) SetupLinkFor(ctx context.Context, by Actor, id uuid.UUID) (*SetupURL, error) {
	now := s.cfg.Now()
	made := &SetupURL{Expires: now.Add(SetupLifetime).UTC().Truncate(time.Second)}
	err := s.db.InTx(ctx, func(tx *postgres.Tx) error {
		a, err := lockAccount(ctx, tx, id)
		if err != nil {
			return err
		}
		if !a.IsActive {
			return errSuspended
		}
		if err := dropOneTime(ctx, tx, purposeReset, id); err != nil {
			return err
		}
		token, err := issueOneTime(ctx, tx, purposeReset, id, a.Email, nil, now, made.Expires)
		if err != nil {
			return err
		}
		made.Link = strings.TrimRight(s.cfg.PublicURL, "/") + "/account/reset/" + token
		return audit.Record(ctx, tx, audit.Entry{
			ActorID: by.ID, Actor: by.Name, Action: "user.setup-link", Object: id.String(), Detail: map[string]any{"email": a.Email},
		})
	})
	if err != nil {
		return nil, postgres.Problem(err)
	}
	return made, nil
}
