package access_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
)

func TestEveryScopeAllowsExactlyWhatItIsFor(t *testing.T) {
	t.Parallel()
	cases := map[access.Permission][3]bool{ // read, write, admin
		access.TeamRead:              {true, true, true},
		access.MemberRead:            {true, true, true},
		access.ConversationRead:      {true, true, true},
		access.FileRead:              {true, true, true},
		access.SettingsRead:          {true, true, true},
		access.SettingsPreferences:   {false, true, true},
		access.ConversationCreate:    {false, true, true},
		access.ConversationWrite:     {false, true, true},
		access.ConversationDelete:    {false, true, true},
		access.FileWrite:             {false, true, true},
		access.SettingsWrite:         {false, true, true},
		access.TeamRename:            {false, false, true},
		access.TeamDelete:            {false, false, true},
		access.TeamPolicy:            {false, false, true},
		access.MemberAdd:             {false, false, true},
		access.ServiceAccountManage:  {false, false, true},
		access.ConversationDeleteAny: {false, false, true},
		access.SettingsTeam:          {false, false, true},
	}
	for _, permission := range access.Owner.Permissions() {
		want, listed := cases[permission]
		if !listed {
			t.Errorf("say here which scopes allow %s", permission)
		}
		for i, scope := range access.Scopes() {
			if scope.Allows(permission) != want[i] {
				t.Errorf("%s allows %s: %v", scope, permission, !want[i])
			}
		}
		if !access.NoScope.Allows(permission) {
			t.Errorf("a session does not allow %s", permission)
		}
		if access.Scope("Write").Allows(permission) || access.Scope("all").Allows(permission) {
			t.Errorf("a scope that does not exist allows %s", permission)
		}
	}
}

func TestAScopeCoversItselfAndLessOnly(t *testing.T) {
	t.Parallel()
	order := []access.Scope{access.ScopeRead, access.ScopeWrite, access.ScopeAdmin, access.NoScope}
	for i, high := range order {
		for j, low := range order {
			if got := high.Covers(low); got != (j <= i) {
				t.Errorf("%q covers %q: %v", high, low, got)
			}
		}
	}
	if access.Scope("x").Covers(access.ScopeRead) {
		t.Error("a scope that does not exist covers read")
	}
}

func TestAKeyLimitsItsOwnersRole(t *testing.T) {
	t.Parallel()
	here, there := uuid.New(), uuid.New()
	memberships := []access.Membership{{Team: here, Role: access.Viewer}, {Team: there, Role: access.Owner}}
	reads := &access.Principal{Memberships: memberships, Scope: access.ScopeRead}
	writes := &access.Principal{Memberships: memberships, Scope: access.ScopeWrite}
	bound := &access.Principal{Memberships: memberships, Bound: here}
	for _, c := range []struct {
		name       string
		p          *access.Principal
		team       uuid.UUID
		permission access.Permission
		want       error
	}{
		{"read reads", reads, there, access.ConversationRead, nil},
		{"read does not write", reads, there, access.ConversationWrite, access.ErrScope},
		{"write writes", writes, there, access.ConversationWrite, nil},
		{"write does not administer", writes, there, access.SettingsTeam, access.ErrScope},
		{"write gives a viewer nothing", writes, here, access.ConversationWrite, access.ErrForbidden},
		{"a stranger stays one", writes, uuid.New(), access.TeamRead, access.ErrHidden},
		{"bound works in its team", bound, here, access.ConversationRead, nil},
		{"bound does not work elsewhere", bound, there, access.ConversationRead, access.ErrBound},
		{"bound sees no foreign team", bound, uuid.New(), access.ConversationRead, access.ErrHidden},
	} {
		if err := c.p.In(c.team, c.permission); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestWhatBelongsToNoTeamIsForKeysOfThatScopeThatAreBoundToNone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		p     access.Principal
		least access.Scope
		want  error
	}{
		{"a session", access.Principal{}, access.ScopeAdmin, nil},
		{"a read key reads", access.Principal{Scope: access.ScopeRead}, access.ScopeRead, nil},
		{"a read key does not write", access.Principal{Scope: access.ScopeRead}, access.ScopeWrite, access.ErrScope},
		{"a write key writes", access.Principal{Scope: access.ScopeWrite}, access.ScopeWrite, nil},
		{"a write key does not administer", access.Principal{Scope: access.ScopeWrite}, access.ScopeAdmin, access.ErrScope},
		{"an admin key does", access.Principal{Scope: access.ScopeAdmin}, access.ScopeAdmin, nil},
		{"a bound key does nothing", access.Principal{Scope: access.ScopeAdmin, Bound: uuid.New()}, access.ScopeRead, access.ErrBound},
	} {
		if err := c.p.Alone(c.least); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestThePermissionsThatAreShownAreThoseThatRoleAndScopeBothHold(t *testing.T) {
	t.Parallel()
	here, there := uuid.New(), uuid.New()
	memberships := []access.Membership{{Team: here, Role: access.Viewer}, {Team: there, Role: access.Owner}}
	for _, c := range []struct {
		name string
		p    access.Principal
		team uuid.UUID
		want []access.Permission
	}{
		{"a session's", access.Principal{}, here, access.Viewer.Permissions()},
		{"a read key's", access.Principal{Scope: access.ScopeRead}, there, []access.Permission{
			access.TeamRead, access.MemberRead, access.ConversationRead, access.FileRead, access.SettingsRead,
		}},
		{"a write key's is a Developer's", access.Principal{Scope: access.ScopeWrite}, there, access.Developer.Permissions()},
		{"of a key that is bound elsewhere none", access.Principal{Bound: here}, there, []access.Permission{}},
		{"of strangers none", access.Principal{}, uuid.New(), []access.Permission{}},
	} {
		c.p.Memberships = memberships
		if got := c.p.Permissions(c.team); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
