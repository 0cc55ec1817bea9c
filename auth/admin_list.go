package auth

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Account is a user as administrators see them.
type Account struct {
	User
	CreatedAt   time.Time  `json:"created_at" db:"-"` // User has it, but does not show it
	LastLoginAt *time.Time `json:"last_login_at" db:"last_login_at"`
	HasPassword bool       `json:"has_password" db:"has_password"`
}

func (a Account) shown() Account {
	a.CreatedAt = a.User.CreatedAt.UTC()
	if a.LastLoginAt != nil {
		at := a.LastLoginAt.UTC()
		a.LastLoginAt = &at
	}
	return a
}

// UserQuery asks for a page of accounts, the newest first.
type UserQuery struct {
	Search string // a part of the address or the name, without letter case
	Status string // active, suspended, unverified or superuser; empty: all
	Limit  int    // 50 by default, 200 at most
	PageID string // of the page before; empty: the first
}

// UserPage is a page of accounts.
type UserPage struct {
	Items      []Account `json:"items"`
	NextPageID *string   `json:"next_page_id"`
}

const (
	defaultUsers = 50
	maxUsers     = 200
	maxSearch    = 320 // characters: no address is longer
)

// statuses are the filters, in SQL.
func statuses() map[string]string {
	return map[string]string{
		"": "true", "active": "is_active", "suspended": "NOT is_active", "unverified": "NOT is_verified", "superuser": "is_superuser",
	}
}

const selectAccounts = `
	SELECT id, email, name, avatar_url, is_active, is_superuser, is_verified, created_at, last_login_at, password_hash <> '' AS has_password
	FROM users
	WHERE kind = 'person'`

// Account returns one account; access.ErrHidden when there is none.
func (s *Service) Account(ctx context.Context, id uuid.UUID) (Account, error) {
	var a Account
	err := s.db.GetContext(ctx, &a, selectAccounts+` AND id = $1`, id)
	if errors.Is(err, sql.ErrNoRows) {
		return a, errNoUser
	}
	if err != nil {
		return a, postgres.Problem(fmt.Errorf("read an account: %w", err))
	}
	return a.shown(), nil
}

// Users lists accounts. A filter or a page that there cannot be is a 422.
func (s *Service) Users(ctx context.Context, q UserQuery) (UserPage, error) {
	filter, known := statuses()[q.Status]
	if !known {
		return UserPage{}, queryFault("status", q.Status, "Use active, suspended, unverified or superuser.")
	}
	after, err := pageAfter(q.PageID)
	if err != nil {
		return UserPage{}, err
	}
	limit := q.limit()
	items := []Account{}
	err = s.db.SelectContext(ctx, &items, selectAccounts+` AND `+filter+`
		AND ($1 = '' OR email_key LIKE $1 OR lower(name) LIKE $1)
		AND (created_at, id) < ($2, $3)
		ORDER BY created_at DESC, id DESC
		LIMIT $4`, pattern(q.Search), after.at, after.id, limit+1)
	if err != nil {
		return UserPage{}, postgres.Problem(fmt.Errorf("list accounts: %w", err))
	}
	return userPage(items, limit), nil
}

func userPage(items []Account, limit int) UserPage {
	page := UserPage{Items: items}
	if len(items) > limit {
		page.Items = items[:limit]
		next := position{items[limit-1].User.CreatedAt, items[limit-1].ID}.encode()
		page.NextPageID = &next
	}
	for i, a := range page.Items {
		page.Items[i] = a.shown()
	}
	return page
}

func (q UserQuery) limit() int {
	if q.Limit < 1 {
		return defaultUsers
	}
	return min(q.Limit, maxUsers)
}

// pattern finds the text anywhere, taken to the letter: % and _ stand for themselves.
func pattern(search string) string {
	search = strings.TrimSpace(search)
	if search == "" {
		return ""
	}
	if runes := []rune(search); len(runes) > maxSearch {
		search = string(runes[:maxSearch])
	}
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(emailKey(printable(search))) + "%"
}

// position is where a page ends.
type position struct {
	at time.Time
	id uuid.UUID
}

func (p position) encode() string {
	b := binary.BigEndian.AppendUint64(nil, uint64(p.at.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(append(b, p.id[:]...))
}

// pageAfter reads what encode wrote. Without a page the list begins at the end of all times that Postgres knows as such.
func pageAfter(pageID string) (position, error) {
	if pageID == "" {
		return position{at: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), id: uuid.Max}, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(pageID)
	if err != nil || len(b) != 8+16 {
		return position{}, errPage(pageID)
	}
	p := position{at: time.UnixMicro(int64(binary.BigEndian.Uint64(b)))}
	copy(p.id[:], b[8:])
	if year := p.at.UTC().Year(); year < 1 || year > 9999 {
		return position{}, errPage(pageID)
	}
	return p, nil
}

func errPage(pageID string) error {
	return queryFault("page_id", pageID, "This page_id belongs to no list. Start again without it.")
}

// queryFault is a 422 about a parameter of the query.
func queryFault(name, input, reason string) *problem.Error {
	return &problem.Error{Status: http.StatusUnprocessableEntity, Detail: []problem.Field{{
		Type: "value_error", Loc: []any{"query", name}, Msg: reason, Input: printable(input), Ctx: map[string]any{"reason": reason},
	}}}
}
