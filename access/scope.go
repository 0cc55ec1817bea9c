package access

import "slices"

// Scope is the most that an API key allows: what its owner may do is what their role and the scope both hold. The JSON form is the
// lower-case word.
type Scope string

// The scopes, each with all of the one before. NoScope is that of sessions, which allow whatever the role does.
const (
	NoScope    Scope = ""
	ScopeRead  Scope = "read"
	ScopeWrite Scope = "write"
	ScopeAdmin Scope = "admin"
)

// scopes lists what each scope adds to the one before. Admin needs no list: it allows what any role may hold.
var scopes = []struct {
	scope Scope
	adds  []Permission
}{
	{ScopeRead, []Permission{TeamRead, MemberRead, ConversationRead, FileRead, SettingsRead}},
	{ScopeWrite, []Permission{SettingsPreferences, ConversationCreate, ConversationWrite, ConversationDelete, FileWrite, SettingsWrite}},
}

// Scopes returns the scopes of keys from the least to the highest.
func Scopes() []Scope { return []Scope{ScopeRead, ScopeWrite, ScopeAdmin} }

// Valid says whether s is a scope that a key can have.
func (s Scope) Valid() bool { return slices.Contains(Scopes(), s) }

// Allows says whether a credential of that scope lets its owner use the permission. A scope that is none of these allows nothing.
func (s Scope) Allows(permission Permission) bool {
	if s == NoScope || s == ScopeAdmin {
		return true
	}
	for _, row := range scopes {
		if slices.Contains(row.adds, permission) {
			return s.Valid()
		}
		if row.scope == s {
			return false
		}
	}
	return false
}

// Covers says whether s allows all that other does.
func (s Scope) Covers(other Scope) bool {
	if s == NoScope {
		return true
	}
	return other != NoScope && slices.Index(Scopes(), other) <= slices.Index(Scopes(), s) && s.Valid()
}
