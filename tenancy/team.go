// Package tenancy owns teams and their members, answers who is asking (Gate), and keeps the anonymous mode.
//
// It never sees a password or a token's inside: auth proves who somebody is, tenancy says to which teams they belong. Its key
// idea: memberships are read once, remembered until a notification, and joined to an identity as one immutable principal; code
// then asks that principal for permissions.
package tenancy

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/body"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// maxName is how many characters a team's name may have.
const maxName = 255

// Team is a team as one of its members sees it.
type Team struct {
	ID          uuid.UUID           `json:"id" db:"id"`
	Name        string              `json:"name" db:"name"`
	OwnerID     *uuid.UUID          `json:"owner_id" db:"owner_id"` // the longest-standing owner; null for the anonymous team only
	IsPersonal  bool                `json:"is_personal" db:"is_personal"`
	CreatedAt   time.Time           `json:"created_at" db:"created_at"`
	Role        access.Role         `json:"role" db:"-"`        // the caller's
	Permissions []access.Permission `json:"permissions" db:"-"` // the caller's
}

// as completes the team for a caller.
func (t Team) as(p *access.Principal) Team {
	t.CreatedAt = t.CreatedAt.UTC()
	t.Role, _ = p.RoleIn(t.ID)
	t.Permissions = p.Permissions(t.ID)
	return t
}

// personalName is what a personal team is called when the registration did not say: after the first word of the user's name,
// or the local part of the address.
func personalName(u auth.User) string {
	first, _, _ := strings.Cut(u.Email, "@")
	if u.Name != nil {
		if words := strings.FieldsFunc(*u.Name, blank); len(words) > 0 {
			first = words[0]
		}
	}
	const suffix = "'s Team"
	if runes := []rune(first); len(runes) > maxName-len(suffix) {
		first = string(runes[:maxName-len(suffix)])
	}
	return first + suffix
}

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// checkName cuts the blanks around a name and refuses what is no name. field is what the client called it.
func checkName(field, name string) (string, error) {
	name = strings.TrimSpace(name)
	switch length := utf8.RuneCountInString(name); {
	case length == 0:
		return "", problem.Fields(body.TooShort(field, 1, name))
	case length > maxName:
		return "", problem.Fields(body.TooLong(field, maxName, name))
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return "", problem.Fields(body.Refused(field, "a team's name may hold no line breaks or other control characters", name))
	}
	return name, nil
}
