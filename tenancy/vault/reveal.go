package vault

import (
	"context"
	"slices"

	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Reveal is a secret that is shown to somebody.
type Reveal struct {
	Document *Document
	Field    string
}

// Revealed records what somebody was shown at once: one line for each document.
func (s *Store) Revealed(ctx context.Context, by By, shown []Reveal) error {
	fields := map[*Document][]string{}
	var order []*Document
	for _, r := range shown {
		if _, has := fields[r.Document]; !has {
			order = append(order, r.Document)
		}
		fields[r.Document] = append(fields[r.Document], r.Field)
	}
	if len(order) == 0 {
		return nil
	}
	return s.db.InTx(ctx, func(tx *postgres.Tx) error {
		for _, d := range order {
			if err := revealed(ctx, tx, by, d, slices.Sorted(slices.Values(fields[d]))); err != nil {
				return err
			}
		}
		return nil
	})
}

func revealed(ctx context.Context, tx *postgres.Tx, by By, d *Document, fields []string) error {
	return audit.Record(ctx, tx, audit.Entry{
		Team: d.Scope.Team, ActorID: by.ID, Actor: by.Name, Action: action(d.Kind, "reveal"), Object: d.Name,
		Detail: map[string]any{"fields": fields, "own": d.Scope.User == by.ID},
	})
}
