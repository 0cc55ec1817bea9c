package conversation

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// sorts gives each order its number in a cursor. It may grow at the end only.
var sorts = [...]Sort{CreatedDescending, CreatedAscending, UpdatedDescending, UpdatedAscending}

const (
	cursorVersion = 1
	cursorLength  = 2 + 16 + 8 + 16
)

// cursor is where a page ended. It holds for one team and one order; in another it is refused. It grants nothing: the rows
// behind it are chosen anew by who asks.
type cursor struct {
	sort Sort
	team uuid.UUID
	at   time.Time
	id   uuid.UUID
}

func (c cursor) encode() string {
	b := make([]byte, 0, cursorLength)
	b = append(b, cursorVersion, byte(max(0, slices.Index(sorts[:], c.sort))))
	b = append(b, c.team[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(c.at.UnixMicro()))
	b = append(b, c.id[:]...)
	return base64.RawURLEncoding.EncodeToString(b)
}

func decodeCursor(s string) (cursor, bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != cursorLength || b[0] != cursorVersion || int(b[1]) >= len(sorts) {
		return cursor{}, false
	}
	c := cursor{sort: sorts[b[1]], at: time.UnixMicro(int64(binary.BigEndian.Uint64(b[18:])))}
	copy(c.team[:], b[2:])
	copy(c.id[:], b[26:])
	year := c.at.UTC().Year()
	return c, year > 0 && year < 10_000 // Postgres reads no other time that we write
}

func (q Query) limit() int {
	if q.Limit < 1 {
		return defaultLimit
	}
	return min(q.Limit, maxLimit)
}

// After is the cursor of the page that begins behind c, which is of the list that q is about.
func (q Query) After(c Conversation) string {
	o, _ := orderOf(q.Sort)
	return cursor{sort: q.Sort, team: c.Team, at: o.key(c), id: c.ID}.encode()
}

// begin says in which order and from where to read.
func (q Query) begin(team uuid.UUID) (order, position, error) {
	o, known := orderOf(q.Sort)
	if !known {
		return order{}, position{}, fault("sort_order", string(q.Sort), "Use CREATED_AT, CREATED_AT_DESC, UPDATED_AT or UPDATED_AT_DESC.")
	}
	if q.Cursor == "" {
		return o, o.start, nil
	}
	c, ok := decodeCursor(q.Cursor)
	sort := q.Sort
	if sort == "" {
		sort = CreatedDescending
	}
	if !ok || c.team != team || c.sort != sort {
		return order{}, position{}, fault("page_id", q.Cursor, "This page_id belongs to another list. Start again without it.")
	}
	return o, position{at: c.at.UTC().Format(time.RFC3339Nano), id: c.id}, nil
}

func fault(parameter, input, msg string) error {
	return problem.Fields(problem.Field{Type: "value_error", Loc: []any{"query", parameter}, Msg: msg, Input: input})
}
