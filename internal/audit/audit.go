// Package audit owns the record of what was changed, by whom.
//
// It never decides what is worth a line and never holds a secret: callers choose the detail. Its key idea: a line is written
// in the transaction of the change, so that neither exists without the other.
package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// maxText bounds each text of a line, in characters: what clients sent may be among them.
const maxText = 500

// Entry is one line. The zero Team means the installation; the zero ActorID means the command line or anonymous.
type Entry struct {
	Team    uuid.UUID
	ActorID uuid.UUID
	Actor   string // an address, "anonymous" or "command line"
	Action  string // what was done, such as "member.add"
	Object  string // to what: an id or a name
	Detail  map[string]any
}

// Record writes the entry in tx.
func Record(ctx context.Context, tx *postgres.Tx, e Entry) error {
	detail := []byte("{}")
	if e.Detail != nil {
		var err error
		if detail, err = json.Marshal(e.Detail); err != nil {
			return fmt.Errorf("encode audit detail of %s: %w", e.Action, err)
		}
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO audit_log (team_id, actor_id, actor, action, object, detail)
		VALUES ($1, $2, $3, $4, $5, $6)`,
		nullable(e.Team), nullable(e.ActorID), printable(e.Actor), e.Action, printable(e.Object), string(detail))
	if err != nil {
		return fmt.Errorf("record %s: %w", e.Action, err)
	}
	return nil
}

func nullable(id uuid.UUID) uuid.NullUUID { return uuid.NullUUID{UUID: id, Valid: id != uuid.Nil} }

// printable keeps a line one line, and short, whatever a client sent.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
	if runes := []rune(s); len(runes) > maxText {
		return string(runes[:maxText])
	}
	return s
}
