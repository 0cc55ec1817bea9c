package tenancy

import (
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Member joins a user to a team.
type Member struct {
	ID        uuid.UUID   `json:"id"`
	UserID    uuid.UUID   `json:"user_id"`
	TeamID    uuid.UUID   `json:"team_id"`
	Role      access.Role `json:"role"`
	UserEmail string      `json:"user_email"`
	UserName  *string     `json:"user_name"`
}

// What AddMember may answer beside missing rights.
var (
	ErrNoUser        = problem.New(http.StatusNotFound, "User not found with that email. Invite them to the team, or ask them to register first.")
	ErrAlreadyMember = problem.New(http.StatusBadRequest, "User is already a member of this team")
	ErrEntered       = problem.New(http.StatusForbidden, "Whoever entered a team is in it for a while, and cannot add themselves to it.")
	ErrRank          = problem.New(http.StatusForbidden, "You can give only roles below your own: an owner makes admins, an admin makes developers and viewers.")
)

// RoleFaults says what is wrong with a role that somebody is to be added with: nobody is added as an owner.
func RoleFaults(role access.Role) []problem.Field {
	switch role {
	case access.Admin, access.Developer, access.Viewer:
		return nil
	}
	const expected = "'admin', 'developer' or 'viewer'"
	return []problem.Field{{
		Type: "literal_error", Loc: []any{"body", "role"}, Msg: "Input should be " + expected,
		Input: string(role), Ctx: map[string]any{"expected": expected},
	}}
}

// addressKey is the form in which addresses are compared. What is no address has the faults of one.
func addressKey(email string) (string, error) {
	address, err := auth.ParseEmail(email)
	if err != nil {
		return "", problem.Fields(auth.EmailFaults(email)...)
	}
	return strings.ToLower(address), nil
}
