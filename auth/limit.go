package auth

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/ratelimit"
)

// What is limited, by the folded address and by where it comes from.
const (
	actLogin    = "login"
	actRegister = "register"
	actForgot   = "forgot-password"
	actReset    = "reset-password"
	actVerify   = "verify"
	actFactor   = "second-factor"
	actChange   = "change-account"
	actFactors  = "change-factors"
)

// admit counts one try of a stranger, under the address (in all its spellings) and under where it comes from. When the error is that
// they are banned, whoever can answers as to a wrong guess.
func (s *Service) admit(ctx context.Context, action, email string, from Client) error {
	if s.cfg.Limits == nil {
		return nil
	}
	return s.cfg.Limits.Take(ctx, action, limitKeys(email, from)...)
}

// failed notes a wrong try, and succeeded forgets those before: nothing about them is worth an error to whoever signs in.
func (s *Service) failed(ctx context.Context, action, email string, from Client) {
	if s.cfg.Limits == nil {
		return
	}
	if err := s.cfg.Limits.Failed(ctx, action, limitKeys(email, from)...); err != nil {
		s.cfg.Log.WarnContext(ctx, "a failed try was not counted", "action", action, "error", err)
	}
}

func (s *Service) succeeded(ctx context.Context, action, email string, from Client) {
	if s.cfg.Limits == nil {
		return
	}
	if err := s.cfg.Limits.Succeeded(ctx, action, limitKeys(email, from)...); err != nil {
		s.cfg.Log.WarnContext(ctx, "failed tries were not forgotten", "action", action, "error", err)
	}
}

// banned says whether admit refused somebody who must not learn that they are banned.
func banned(err error) bool { return errors.Is(err, ratelimit.ErrBanned) }

func limitKeys(email string, from Client) []string {
	keys := []string{}
	if email != "" && len(email) <= maxEmail { // a longer one is nobody's
		keys = append(keys, "email:"+emailKey(email))
	}
	if from.IP != "" {
		keys = append(keys, "ip:"+from.IP)
	}
	return keys
}

// admitChange counts a change of what a user signs in with. Each has a mail sent: to whatever address they name, once they change it
// again, so that it counts for that, too.
func (s *Service) admitChange(ctx context.Context, user uuid.UUID, c Change) error {
	if s.cfg.Limits == nil || c.Email == nil && c.Password == nil {
		return nil
	}
	keys := []string{"user:" + user.String()}
	if c.Email != nil {
		keys = append(keys, limitKeys(*c.Email, Client{})...)
	}
	return s.cfg.Limits.Take(ctx, actChange, keys...)
}

// AdmitFactorChange counts a change of a user's second factors: each has a mail sent, to an address that may not be theirs.
func (s *Service) AdmitFactorChange(ctx context.Context, user uuid.UUID) error {
	if s.cfg.Limits == nil {
		return nil
	}
	return s.cfg.Limits.Take(ctx, actFactors, "user:"+user.String())
}
