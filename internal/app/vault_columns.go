package app

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth/factor"
	"github.com/openhands-saas/openhands-saas/internal/mail"
	"github.com/openhands-saas/openhands-saas/internal/sealed"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// sealedColumn is a column of values that the vault's keys close, beside the documents of the vault.
type sealedColumn struct {
	what               string // for people
	table, key, column string
	place              func(key uuid.UUID) []string
}

// sealedColumns is every one there is: a rotation that forgot one would lock its values away for ever.
func sealedColumns() []sealedColumn {
	return []sealedColumn{
		{"mails that wait", "mail_outbox", "id", "body", mail.Place},
		{"authenticator apps", "totp_factors", "user_id", "secret", factor.Place},
		{"authenticator apps that are being set up", "totp_factors", "user_id", "pending", factor.Place},
	}
}

// held is how many values of each column a key closes.
type held map[string]int

// String lists what is held, for people.
func (h held) String() string {
	var list []string
	for what, count := range h {
		list = append(list, fmt.Sprintf("%d %s", count, what))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// heldBeside counts, by key, what is sealed beside the documents. A value names its key in the four bytes behind the first.
func (a *App) heldBeside(ctx context.Context) (map[uint32]held, error) {
	all := map[uint32]held{}
	for _, c := range sealedColumns() {
		var rows []struct {
			Key   int64 `db:"key_id"`
			Count int   `db:"count"`
		}
		err := a.db().SelectContext(ctx, &rows, `
			SELECT ('x' || encode(substring(`+c.column+` FROM 2 FOR 4), 'hex'))::bit(32)::bigint AS key_id, count(*) AS count
			FROM `+c.table+`
			WHERE `+c.column+` IS NOT NULL
			GROUP BY 1`)
		if err != nil {
			return nil, fmt.Errorf("count the %s of each key: %w", c.what, err)
		}
		for _, r := range rows {
			id := uint32(r.Key) //nolint:gosec // it is four bytes
			if all[id] == nil {
				all[id] = held{}
			}
			all[id][c.what] += r.Count
		}
	}
	return all, nil
}

// checkBeside is nil when there is a key to all that is sealed beside the documents. Mails do not count: they can be asked for again.
func (a *App) checkBeside(ctx context.Context) error {
	all, err := a.heldBeside(ctx)
	if err != nil {
		return err
	}
	for id, h := range all {
		delete(h, sealedColumns()[0].what)
		if len(h) > 0 && !a.keys.Has(id) {
			return fmt.Errorf("the vault cannot be opened: key %d is missing, and with it %s. Give back the keyset that holds it; nothing was changed", id, h)
		}
	}
	return nil
}

// lostBeside is a line of the status for each key that is in no keyset and holds no document, but something beside them.
func lostBeside(uses []vault.KeyUse, beside map[uint32]held) (lines []string) {
	for _, id := range slices.Sorted(maps.Keys(beside)) {
		if !slices.ContainsFunc(uses, func(u vault.KeyUse) bool { return u.ID == id }) {
			lines = append(lines, fmt.Sprintf("%d\t0\t0\tMISSING, with %s: give back the keyset that holds it", id, beside[id]))
		}
	}
	return lines
}

// resealBeside seals with the present key what others hold, says of how much, and returns how much. What does not open is left as
// it is.
func (t *Tools) resealBeside(ctx context.Context, out io.Writer) (total int, err error) {
	for _, c := range sealedColumns() {
		done, broken, err := t.app.resealColumn(ctx, c)
		if err != nil {
			return total, err
		}
		if total += done; done+broken > 0 {
			fmt.Fprintf(out, "%s: %d sealed anew, %d left as they are, since they do not open\n", c.what, done, broken)
		}
	}
	return total, nil
}

// sealedValue is one value with the key of its row.
type sealedValue struct {
	Key   uuid.UUID `db:"key"`
	Value []byte    `db:"value"`
}

func (a *App) resealColumn(ctx context.Context, c sealedColumn) (done, broken int, err error) {
	const page = 200
	for after := uuid.Nil; ; {
		var rows []sealedValue
		err := a.db().SelectContext(ctx, &rows, `
			SELECT `+c.key+` AS key, `+c.column+` AS value
			FROM `+c.table+`
			WHERE `+c.column+` IS NOT NULL AND `+c.key+` > $1
			ORDER BY 1
			LIMIT $2`, after, page)
		if err != nil {
			return done, broken, fmt.Errorf("read the %s: %w", c.what, err)
		}
		if len(rows) == 0 {
			return done, broken, nil
		}
		for _, r := range rows {
			after = r.Key
			if id, _ := sealed.KeyID(r.Value); id == a.keys.Current().Primary() {
				continue
			}
			plain, err := a.keys.Open(r.Value, c.place(r.Key)...)
			if err != nil {
				broken++
				continue
			}
			if err := a.replaceSealed(ctx, c, r, plain); err != nil {
				return done, broken, err
			}
			done++
		}
	}
}

// replaceSealed changes nothing when the value was changed meanwhile: then it was sealed by a server of now.
func (a *App) replaceSealed(ctx context.Context, c sealedColumn, old sealedValue, plain []byte) error {
	anew, err := a.keys.Seal(plain, c.place(old.Key)...)
	if err != nil {
		return err
	}
	_, err = a.db().ExecContext(ctx, `
		UPDATE `+c.table+` SET `+c.column+` = $3
		WHERE `+c.key+` = $1 AND `+c.column+` = $2`, old.Key, old.Value, anew)
	if err != nil {
		return fmt.Errorf("seal the %s anew: %w", c.what, err)
	}
	return nil
}
