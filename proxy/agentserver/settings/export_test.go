package settings

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// Seen is what a caller is shown.
type Seen struct {
	Agent, Conversation map[string]any
	HasKey              bool
	Profile             any
}

// See puts the layers together and shows them in a mode of X-Expose-Secrets.
func See(ctx context.Context, s *Surface, p *access.Principal, team uuid.UUID, expose string) (Seen, error) {
	w := of(p, team)
	m, err := modeOf(http.Header{"X-Expose-Secrets": {expose}}, w)
	if err != nil {
		return Seen{}, err
	}
	e, err := s.effective(ctx, w)
	if err != nil {
		return Seen{}, err
	}
	return Seen{Agent: e.agent, Conversation: e.conversation, HasKey: e.hasKey(), Profile: e.profile}, s.show(ctx, w, m, e.agent, e.keys)
}

// Change patches the caller's own settings, or the team's.
func Change(ctx context.Context, s *Surface, p *access.Principal, team uuid.UUID, ofTeam bool, body map[string]any) error {
	if err := judgePatch(body); err != nil {
		return err
	}
	w := of(p, team)
	scope := w.own()
	if ofTeam {
		scope = w.team()
	}
	return s.patch(ctx, w, scope, body)
}

// Redeem says what a token is worth to a caller.
func Redeem(ctx context.Context, s *Surface, p *access.Principal, team uuid.UUID, token string) (string, error) {
	w := of(p, team)
	h, err := s.holdings(ctx, w, vault.KindSettings, vault.KindProfile, vault.KindConnection)
	if err != nil {
		return "", err
	}
	r := s.redeemed(h, token)
	if r.key.doc == nil {
		return "", errors.New("it stands for nothing")
	}
	return r.value, r.lost
}

// Keep stores a document as a handler would.
func Keep(ctx context.Context, s *Surface, scope vault.Scope, kind vault.Kind, name string, body map[string]any, secrets map[string]string) error {
	_, err := s.Vault.Update(ctx, scope, kind, name, vault.By{}, func(d *vault.Draft) error {
		d.Body = body
		for field, value := range secrets {
			d.Set(field, value)
		}
		return nil
	})
	return err
}

// FillAny fills a model for any use, not only for a conversation's.
func FillAny(ctx context.Context, s *Surface, p *access.Principal, team uuid.UUID, llm map[string]any) error {
	_, err := s.fill(ctx, of(p, team), []any{"body"}, llm)
	return err
}
