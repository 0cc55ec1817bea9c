package settings

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// holdings are the documents of a team and of one of its users, as one query reads them.
type holdings struct {
	who  who
	docs []*vault.Document // the team's first
}

func (s *Surface) holdings(ctx context.Context, w who, kinds ...vault.Kind) (holdings, error) {
	docs, err := s.Vault.Layers(ctx, w.Team, w.User, kinds...)
	return holdings{who: w, docs: docs}, err
}

// find gives the document of a kind and name that counts for a scope: its own, else the team's.
func (h holdings) find(scope vault.Scope, kind vault.Kind, name string) *vault.Document {
	var found *vault.Document
	for _, d := range h.docs {
		if d.Kind == kind && d.Name == name && (d.Scope == scope || d.Scope.User == uuid.Nil) {
			found = d // the user's come last
		}
	}
	return found
}

// mine gives a document of a scope itself; nil for none.
func (h holdings) mine(scope vault.Scope, kind vault.Kind, name string) *vault.Document {
	for _, d := range h.docs {
		if d.Scope == scope && d.Kind == kind && d.Name == name {
			return d
		}
	}
	return nil
}

// ofTeam is what of them is the team's.
func (h holdings) ofTeam() holdings {
	docs := slices.DeleteFunc(slices.Clone(h.docs), func(d *vault.Document) bool { return d.Scope.User != uuid.Nil })
	return holdings{who: h.who.asTeam(), docs: docs}
}

// counting lists the documents of a kind that count, each name once: one's own stand in the place of the team's.
func (h holdings) counting(kind vault.Kind) []*vault.Document {
	var found []*vault.Document
	for _, d := range h.docs {
		if d.Kind == kind && h.find(h.who.own(), kind, d.Name) == d {
			found = append(found, d)
		}
	}
	return found
}

// agentProfile finds an agent profile by its id, one's own before the team's.
func (h holdings) agentProfile(id string) *vault.Document {
	var found *vault.Document
	for _, d := range h.docs {
		if d.Kind == vault.KindAgentProfile && d.Body["id"] == id {
			found = d
		}
	}
	return found
}
