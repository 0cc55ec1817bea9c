package access_test

import (
	"slices"
	"testing"

	. "github.com/openhands-saas/openhands-saas/access"
)

// TestRolesMayDoExactlyThis is the product's promise, written a second time by hand.
func TestRolesMayDoExactlyThis(t *testing.T) {
	t.Parallel()
	asked := map[Role][]Permission{}
	ask := func(role Role, want bool, permissions []Permission) {
		t.Helper()
		asked[role] = append(asked[role], permissions...)
		for _, p := range permissions {
			if got := role.Has(p); got != want {
				t.Errorf("%s has %s: %v, want %v", role, p, got, want)
			}
			if got := slices.Contains(role.Permissions(), p); got != want {
				t.Errorf("the permissions of %s list %s: %v, want %v", role, p, got, want)
			}
		}
	}
	allow := func(role Role, permissions ...Permission) { t.Helper(); ask(role, true, permissions) }
	deny := func(role Role, permissions ...Permission) { t.Helper(); ask(role, false, permissions) }

	allow(Viewer, TeamRead, MemberRead)
	allow(Viewer, ConversationRead, FileRead)
	allow(Viewer, SettingsRead, SettingsPreferences)
	deny(Viewer, ConversationCreate, ConversationWrite, ConversationDelete, ConversationDeleteAny)
	deny(Viewer, FileWrite, SettingsWrite, SettingsTeam)
	deny(Viewer, MemberAdd, ServiceAccountManage, TeamRename, TeamDelete, TeamPolicy)
	deny(Viewer, Nobody)

	allow(Developer, TeamRead, MemberRead)
	allow(Developer, ConversationRead, ConversationCreate, ConversationWrite, ConversationDelete)
	allow(Developer, FileRead, FileWrite)
	allow(Developer, SettingsRead, SettingsPreferences, SettingsWrite)
	deny(Developer, ConversationDeleteAny)
	deny(Developer, SettingsTeam)
	deny(Developer, MemberAdd, ServiceAccountManage, TeamRename, TeamDelete, TeamPolicy)
	deny(Developer, Nobody)

	allow(Admin, TeamRead, TeamRename, MemberRead, MemberAdd, ServiceAccountManage)
	allow(Admin, ConversationRead, ConversationCreate, ConversationWrite, ConversationDelete, ConversationDeleteAny)
	allow(Admin, FileRead, FileWrite)
	allow(Admin, SettingsRead, SettingsPreferences, SettingsWrite, SettingsTeam)
	deny(Admin, TeamDelete, TeamPolicy)
	deny(Admin, Nobody)

	allow(Owner, TeamRead, TeamRename, TeamDelete, TeamPolicy, MemberRead, MemberAdd, ServiceAccountManage)
	allow(Owner, ConversationRead, ConversationCreate, ConversationWrite, ConversationDelete, ConversationDeleteAny)
	allow(Owner, FileRead, FileWrite)
	allow(Owner, SettingsRead, SettingsPreferences, SettingsWrite, SettingsTeam)
	deny(Owner, Nobody)

	for _, role := range Roles() {
		if len(asked[role]) != 19 {
			t.Errorf("%d permissions were asked of %s; add the new ones above", len(asked[role]), role)
		}
		for _, p := range role.Permissions() {
			if !slices.Contains(asked[role], p) {
				t.Errorf("%s holds %s, which this test does not know", role, p)
			}
		}
	}
}

func TestAWordThatIsNoRoleMayDoNothing(t *testing.T) {
	t.Parallel()
	for _, role := range []Role{"", "root", "Owner", "superuser", " owner"} {
		if role.Valid() || role.Has(TeamRead) || len(role.Permissions()) != 0 {
			t.Errorf("%q passes for a role", role)
		}
		if role.Above(Viewer) {
			t.Errorf("%q ranks above a viewer", role)
		}
	}
}

func TestRanksAreOwnerAdminDeveloperViewer(t *testing.T) {
	t.Parallel()
	above := func(high, low Role) {
		t.Helper()
		if !high.Above(low) || low.Above(high) {
			t.Errorf("%s does not rank above %s alone", high, low)
		}
	}
	above(Owner, Admin)
	above(Owner, Developer)
	above(Owner, Viewer)
	above(Admin, Developer)
	above(Admin, Viewer)
	above(Developer, Viewer)
	for _, role := range Roles() {
		if role.Above(role) {
			t.Errorf("%s ranks above itself", role)
		}
	}
}

func TestTheLeastRoleOfAPermission(t *testing.T) {
	t.Parallel()
	least := func(p Permission, want Role, held bool) {
		t.Helper()
		if got, ok := LeastRole(p); got != want || ok != held {
			t.Errorf("least role for %s: %q %v, want %q %v", p, got, ok, want, held)
		}
	}
	least(ConversationRead, Viewer, true)
	least(ConversationWrite, Developer, true)
	least(ConversationDeleteAny, Admin, true)
	least(TeamDelete, Owner, true)
	least(Nobody, "", false)
}
