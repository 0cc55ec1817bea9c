package auth

import "context"

// secondFactor stands between a first proof of who somebody is and the session: nil for those who have no second factor, or showed
// it.
func (s *Service) secondFactor(ctx context.Context, in SignIn) error {
	if s.cfg.Factors == nil || in.Factor {
		return nil
	}
	_, err := s.cfg.Factors.Methods(ctx, in.User)
	return err
}
