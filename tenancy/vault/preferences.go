package vault

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// maxPreferences is how many bytes one document of preferences may have.
const maxPreferences = 64 << 10

// Preferences keeps one document for each subject: a user, or the anonymous team.
type Preferences struct{ db *postgres.DB }

// NewPreferences makes the store.
func NewPreferences(db *postgres.DB) *Preferences { return &Preferences{db: db} }

// Get returns the document, {} when nothing was ever sent.
func (p *Preferences) Get(ctx context.Context, subject uuid.UUID) (json.RawMessage, error) {
	var document []byte
	err := p.db.GetContext(ctx, &document, `
		SELECT document
		  FROM preferences
		 WHERE subject_id = $1`, subject)
	if errors.Is(err, sql.ErrNoRows) {
		return json.RawMessage("{}"), nil
	}
	if err != nil {
		return nil, postgres.Problem(fmt.Errorf("read preferences: %w", err))
	}
	return document, nil
}

// Merge puts patch over the document: objects are merged with objects, at any depth; null removes; everything else replaces.
// Two at once lose nothing of each other.
func (p *Preferences) Merge(ctx context.Context, subject uuid.UUID, patch map[string]any) error {
	if depth(patch) > maxDepth {
		return problem.Newf(http.StatusUnprocessableEntity, "Preferences may be nested %d levels deep at most.", maxDepth)
	}
	err := p.db.InTx(ctx, func(tx *postgres.Tx) error {
		document, err := lockPreferences(ctx, tx, subject)
		if err != nil {
			return err
		}
		return replacePreferences(ctx, tx, subject, Merge(document, patch))
	})
	if e := pq.As(err); e != nil && e.Code.Class() == pqerror.ClassDataException {
		return problem.New(http.StatusUnprocessableEntity, "Preferences may hold neither NUL characters nor numbers beyond all bounds.").Because(err)
	}
	return err
}

// lock makes sure that there is a row, so that there is something to hold until the commit.
func lockPreferences(ctx context.Context, tx *postgres.Tx, subject uuid.UUID) (map[string]any, error) {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO preferences (subject_id)
		VALUES ($1)
		ON CONFLICT (subject_id) DO NOTHING`, subject)
	if err != nil {
		return nil, fmt.Errorf("begin preferences: %w", err)
	}
	var raw []byte
	err = tx.GetContext(ctx, &raw, `
		SELECT document
		  FROM preferences
		 WHERE subject_id = $1
		   FOR UPDATE`, subject)
	if err != nil {
		return nil, fmt.Errorf("lock preferences: %w", err)
	}
	document := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // numbers come back as they were sent
	if err := decoder.Decode(&document); err != nil {
		return nil, fmt.Errorf("decode preferences: %w", err)
	}
	return document, nil
}

func replacePreferences(ctx context.Context, tx *postgres.Tx, subject uuid.UUID, document map[string]any) error {
	encoded, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("encode preferences: %w", err)
	}
	if len(encoded) > maxPreferences {
		return problem.Newf(http.StatusRequestEntityTooLarge, "Preferences may hold %d KiB in all; remove some first.", maxPreferences>>10)
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE preferences
		   SET document = $2, updated_at = now()
		 WHERE subject_id = $1`, subject, string(encoded))
	if err != nil {
		return fmt.Errorf("keep preferences: %w", err)
	}
	return nil
}
