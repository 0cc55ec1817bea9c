package conversation

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// What a deleted conversation leaves behind: its folders. This file decides whose turn they are and that nobody else works in
// them; whoever claims them removes them. Its rules:
//
//   - A folder is used by every conversation that is not deleted and not yet past its grace, whatever its team, and whether it
//     works in the folder, above it or below it. What is used is not given out.
//   - A claim is committed before anything is removed. While it lasts, Reserve refuses the folder, and no other claim is given
//     out for it. Who dies with a claim loses it when it runs out, and somebody tries again.
//   - Reserve and the claim meet at the deleted row: one locks it to share, the other to write, and neither waits for long.

const (
	defaultGrace = time.Hour

	// claimLease is how long a claim holds. Who has one must be done, or have given up, well before.
	claimLease = 30 * time.Minute

	firstRetry = 5 * time.Minute
	lastRetry  = 24 * time.Hour
)

// ErrCollecting means that the folder is being removed, because the conversation it belonged to was deleted.
var ErrCollecting = problem.New(http.StatusConflict,
	"The folder of a deleted conversation is being removed there. Choose another folder, or try again in some minutes.")

// Garbage is a claim on the folders of a deleted conversation.
type Garbage struct {
	Conversation
	Folders []string
	Attempt int // the number of this claim, from 1
}

// ClaimGarbage claims the folders of at most limit conversations that were deleted longer ago than the grace, the oldest first.
// own says which of a conversation's folders go with it; where there are none, they stay for ever. End each claim with Collected
// or NotCollected, or with neither when the outcome is not known: then it runs out.
func (s *Service) ClaimGarbage(ctx context.Context, limit int, own func(Conversation) []string) ([]Garbage, error) {
	for {
		var claimed []Garbage
		looked := 0
		err := s.db.InTx(ctx, func(tx *postgres.Tx) (err error) {
			claimed, looked, err = s.claim(ctx, tx, limit, own)
			return err
		})
		if err != nil {
			return nil, postgres.Problem(fmt.Errorf("claim folders of deleted conversations: %w", err))
		}
		if len(claimed) > 0 || looked == 0 {
			return claimed, nil
		}
	}
}

// claim looks at some candidates and gives each a time: claimed ones and used ones are not looked at again before it.
func (s *Service) claim(ctx context.Context, tx *postgres.Tx, limit int, own func(Conversation) []string) ([]Garbage, int, error) {
	found, err := s.garbage(ctx, tx, limit)
	if err != nil || len(found) == 0 {
		return nil, 0, err
	}
	used, err := s.used(ctx, tx, found, own)
	if err != nil {
		return nil, 0, err
	}
	var claimed []Garbage
	busy, kept := []uuid.UUID{}, []uuid.UUID{} // nil would be NULL
	for _, r := range found {
		g := Garbage{Conversation: r.conversation(), Attempt: r.Attempts + 1}
		g.Folders = own(g.Conversation)
		switch {
		case len(g.Folders) == 0:
			kept = append(kept, g.ID)
		case slices.ContainsFunc(g.Folders, func(f string) bool { return used[f] }):
			busy = append(busy, g.ID)
		default:
			claimed = append(claimed, g)
		}
	}
	return claimed, len(found), s.mark(ctx, tx, claimed, busy, kept)
}

// Collected notes that the folders are gone.
func (s *Service) Collected(ctx context.Context, g Garbage) error {
	return s.endClaim(ctx, g, `
		UPDATE conversations
		   SET collected_at = $3, collect_until = NULL
		 WHERE id = $1 AND collect_attempts = $2`, s.now())
}

// NotCollected gives the claim back: something is left, and nobody works on it. It is tried again, each time later.
func (s *Service) NotCollected(ctx context.Context, g Garbage) error {
	return s.endClaim(ctx, g, `
		UPDATE conversations
		   SET collect_after = $3, collect_until = NULL
		 WHERE id = $1 AND collect_attempts = $2`, s.now().Add(retryAfter(g.Attempt)))
}

// endClaim changes nothing for a claim that ran out and is somebody else's by now.
func (s *Service) endClaim(ctx context.Context, g Garbage, statement string, at time.Time) error {
	if _, err := s.db.ExecContext(ctx, statement, g.ID, g.Attempt, at); err != nil {
		return postgres.Problem(fmt.Errorf("end the claim on a deleted conversation's folders: %w", err))
	}
	return nil
}

func retryAfter(attempt int) time.Duration {
	pause := firstRetry
	for ; attempt > 1 && pause < lastRetry; attempt-- {
		pause *= 2
	}
	return min(pause, lastRetry)
}
