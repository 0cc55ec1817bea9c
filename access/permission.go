package access

import "slices"

// Role is what a member is in a team. The JSON form is the lower-case word.
type Role string

// The roles, by rank.
const (
	Owner     Role = "owner"
	Admin     Role = "admin"
	Developer Role = "developer"
	Viewer    Role = "viewer"
)

// Permission is one thing a route may ask for.
type Permission string

// The permissions, by what they act on.
const (
	TeamRead   Permission = "team:read"
	TeamRename Permission = "team:rename"
	TeamDelete Permission = "team:delete"
	TeamPolicy Permission = "team:policy" // what the team demands of its members

	MemberRead Permission = "member:read"
	MemberAdd  Permission = "member:add"

	ServiceAccountManage Permission = "service-account:manage" // with their keys

	ConversationRead      Permission = "conversation:read"
	ConversationCreate    Permission = "conversation:create"
	ConversationWrite     Permission = "conversation:write"
	ConversationDelete    Permission = "conversation:delete"     // one's own
	ConversationDeleteAny Permission = "conversation:delete-any" // somebody else's

	FileRead  Permission = "file:read"
	FileWrite Permission = "file:write"

	SettingsRead        Permission = "settings:read"
	SettingsPreferences Permission = "settings:preferences" // one's own consent, skills lists and the like
	SettingsWrite       Permission = "settings:write"       // one's own settings, secrets and profiles
	SettingsTeam        Permission = "settings:team"        // those of the team

	// Nobody is held by no role: the permission of rows that are denied to all.
	Nobody Permission = "nobody"
)

// ranks lists, from the least role to the highest, what each adds to the role below it. This table is the product's promise:
// change it only on purpose.
var ranks = []struct {
	role Role
	adds []Permission
}{
	{Viewer, []Permission{TeamRead, MemberRead, ConversationRead, FileRead, SettingsRead, SettingsPreferences}},
	{Developer, []Permission{ConversationCreate, ConversationWrite, ConversationDelete, FileWrite, SettingsWrite}},
	{Admin, []Permission{TeamRename, MemberAdd, ServiceAccountManage, ConversationDeleteAny, SettingsTeam}},
	{Owner, []Permission{TeamDelete, TeamPolicy}},
}

// Roles returns the roles from the least to the highest.
func Roles() []Role { return []Role{Viewer, Developer, Admin, Owner} }

// Valid says whether r is one of the four roles.
func (r Role) Valid() bool { return r.rank() >= 0 }

// Above says whether r ranks strictly above other.
func (r Role) Above(other Role) bool { return r.rank() > other.rank() }

// Has says whether r holds the permission. A role that is not one of the four holds none.
func (r Role) Has(permission Permission) bool {
	for i := 0; i <= r.rank(); i++ {
		if slices.Contains(ranks[i].adds, permission) {
			return true
		}
	}
	return false
}

// Permissions returns all that r holds, in the order of the table.
func (r Role) Permissions() []Permission {
	held := []Permission{}
	for i := 0; i <= r.rank(); i++ {
		held = append(held, ranks[i].adds...)
	}
	return held
}

func (r Role) rank() int {
	for i := range ranks {
		if ranks[i].role == r {
			return i
		}
	}
	return -1
}

// LeastRole returns the lowest role that holds the permission, and false when none does.
func LeastRole(permission Permission) (Role, bool) {
	for i := range ranks {
		if slices.Contains(ranks[i].adds, permission) {
			return ranks[i].role, true
		}
	}
	return "", false
}
