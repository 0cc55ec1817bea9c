package auth_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

// root makes a superuser.
func root(t *testing.T, s *auth.Service, email string) auth.User {
	t.Helper()
	u, err := s.CreateUser(t.Context(), auth.Registration{Email: email, Password: goodPassword}, true)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func addresses(t *testing.T, s *auth.Service, q auth.UserQuery) (found []string, next string) {
	t.Helper()
	page, err := s.Users(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range page.Items {
		found = append(found, a.Email)
	}
	if page.NextPageID != nil {
		next = *page.NextPageID
	}
	return found, next
}

// lines counts what the audit log says was done to an object.
func lines(t *testing.T, db *postgres.DB, action string, object uuid.UUID) int {
	t.Helper()
	return one[int](t, db, `SELECT count(*) FROM audit_log WHERE action = $1 AND object = $2`, action, object.String())
}

func TestSuspensionEndsEverythingForGoodOnEveryReplica(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	var ended []uuid.UUID
	here := serve(t, dbtest.Open(t, url), func(c *auth.Config) {
		c.Hooks.Ended = func(_ context.Context, _ *postgres.Tx, user uuid.UUID) error {
			ended = append(ended, user)
			return nil
		}
	})
	db := dbtest.Open(t, url)
	there := serve(t, db, nil)
	u := register(t, here, "ann@example.com")
	held := map[string]access.Credential{"token": login(t, here, "ann@example.com"), "cookie": browse(t, here, "ann@example.com")}
	gone := func(s *auth.Service) func() bool {
		return func() bool {
			for _, credential := range held {
				if _, err := s.Authenticate(t.Context(), credential); err == nil {
					return false
				}
			}
			return true
		}
	}
	for _, credential := range held {
		identify(t, there, credential) // remembered
	}
	for range 2 {
		if after, err := here.Suspend(t.Context(), auth.CommandLine(), u.ID); err != nil || after.IsActive {
			t.Fatal(after, err)
		}
	}
	if !gone(here)() {
		t.Error("the replica that suspended still knows the user")
	}
	testtime.Eventually(t, 2*time.Second, "the other replica follows", gone(there))
	_, err := here.Login(t.Context(), "ann@example.com", goodPassword, auth.Client{})
	refused(t, err, 400, "LOGIN_BAD_CREDENTIALS")
	if _, err := here.Reactivate(t.Context(), auth.CommandLine(), u.ID); err != nil {
		t.Fatal(err)
	}
	login(t, here, "ann@example.com")
	if !gone(here)() || !gone(there)() {
		t.Error("a session came back with the account")
	}
	if !slices.Equal(ended, []uuid.UUID{u.ID}) {
		t.Errorf("what is no session was ended for %v", ended)
	}
	if n := lines(t, db, "user.suspend", u.ID); n != 1 {
		t.Errorf("%d lines about two suspensions, of which one changed something", n)
	}
}

func TestASuspensionUsesUpLinksThatAreOnTheirWay(t *testing.T) {
	t.Parallel()
	_, s := fresh(t, func(c *auth.Config) { c.PublicURL = "https://agents.example.com" })
	u := register(t, s, "ann@example.com")
	link, err := s.SetupLinkFor(t.Context(), auth.CommandLine(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	token, ok := strings.CutPrefix(link.Link, "https://agents.example.com/account/reset/")
	if !ok || s.CheckReset(t.Context(), token) != nil {
		t.Fatalf("the link is %q", link.Link)
	}
	if _, err := s.Suspend(t.Context(), auth.CommandLine(), u.ID); err != nil {
		t.Fatal(err)
	}
	_, err = s.SetupLinkFor(t.Context(), auth.CommandLine(), u.ID)
	refused(t, err, 409, "")
	if _, err := s.Reactivate(t.Context(), auth.CommandLine(), u.ID); err != nil {
		t.Fatal(err)
	}
	if s.CheckReset(t.Context(), token) == nil {
		t.Error("a link from before the suspension still opens the account")
	}
}

func TestAnAccountWithoutAPasswordIsOpenedByItsLinkAlone(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, func(c *auth.Config) { c.Registration = auth.RegistrationClosed })
	by := root(t, s, "root@example.com")
	u, link, err := s.AdminCreate(t.Context(), auth.Actor{ID: by.ID, Name: by.Email}, auth.NewAccount{Registration: auth.Registration{Email: "ann@example.com"}})
	if err != nil || link == nil {
		t.Fatal(link, err)
	}
	for _, password := range []string{"", goodPassword} {
		_, err := s.Login(t.Context(), "ann@example.com", password, auth.Client{})
		refused(t, err, 400, "LOGIN_BAD_CREDENTIALS")
	}
	earlier := link.Link
	if link, err = s.SetupLinkFor(t.Context(), auth.CommandLine(), u.ID); err != nil {
		t.Fatal(err)
	}
	token := func(link string) string { return link[strings.LastIndexByte(link, '/')+1:] }
	if s.CheckReset(t.Context(), token(earlier)) == nil {
		t.Error("an earlier link outlived the later one")
	}
	if err := s.ResetPassword(t.Context(), token(link.Link), goodPassword, auth.Client{}); err != nil {
		t.Fatal(err)
	}
	if s.ResetPassword(t.Context(), token(link.Link), goodPassword+"2", auth.Client{}) == nil {
		t.Error("the link worked twice")
	}
	if identify(t, s, login(t, s, "ann@example.com")).User.IsVerified {
		t.Error("a link that did not come by mail verified the address")
	}
	if got := one[uuid.UUID](t, db, `SELECT actor_id FROM audit_log WHERE action = 'user.create' AND object = $1`, u.ID.String()); got != by.ID {
		t.Errorf("the log names %s", got)
	}
}

func TestTheLastSuperuserWhoCanSignInStays(t *testing.T) {
	t.Parallel()
	_, s := fresh(t, nil)
	first, second := root(t, s, "first@example.com"), root(t, s, "second@example.com")
	cli := auth.CommandLine()
	if _, err := s.Suspend(t.Context(), cli, second.ID); err != nil {
		t.Fatal(err)
	}
	_, suspend := s.Suspend(t.Context(), cli, first.ID)
	_, demote := s.SetSuperuser(t.Context(), cli, first.ID, false)
	no := false
	_, patch := s.Administer(t.Context(), cli, first.ID, auth.Change{Superuser: &no, IsActive: &no})
	for what, err := range map[string]error{"suspend": suspend, "demote": demote, "patch": patch, "delete": s.Delete(t.Context(), cli, first.ID)} {
		if !errors.Is(err, auth.ErrLastSuperuser) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := s.SetSuperuser(t.Context(), cli, second.ID, false); err != nil {
		t.Errorf("a suspended one: %v", err)
	}
}

func TestOfManyWhoDemoteEachOtherOneStays(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, nil)
	all := make([]auth.User, 12)
	for i := range all {
		all[i] = root(t, s, fmt.Sprintf("root%d@example.com", i))
	}
	acts := []func(uuid.UUID) error{
		func(id uuid.UUID) error { _, err := s.Suspend(t.Context(), auth.CommandLine(), id); return err },
		func(id uuid.UUID) error {
			_, err := s.SetSuperuser(t.Context(), auth.CommandLine(), id, false)
			return err
		},
		func(id uuid.UUID) error { return s.Delete(t.Context(), auth.CommandLine(), id) },
	}
	var done sync.WaitGroup
	for i, u := range all {
		done.Go(func() {
			if err := acts[i%len(acts)](u.ID); err != nil && !errors.Is(err, auth.ErrLastSuperuser) {
				t.Errorf("%s: %v", u.Email, err)
			}
		})
	}
	done.Wait()
	if left := one[int](t, db, `SELECT count(*) FROM users WHERE is_superuser AND is_active`); left != 1 {
		t.Errorf("%d are left", left)
	}
}

func TestOthersHearWhenASuperuserIsNoneAnyMore(t *testing.T) {
	t.Parallel()
	told := 0
	_, s := fresh(t, func(c *auth.Config) {
		c.Hooks.SuperuserEnded = func(context.Context, *postgres.Tx, uuid.UUID) error { told++; return nil }
	})
	root(t, s, "first@example.com")
	u := register(t, s, "ann@example.com")
	for _, superuser := range []bool{false, true, true, false} {
		if _, err := s.SetSuperuser(t.Context(), auth.CommandLine(), u.ID, superuser); err != nil {
			t.Fatal(err)
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

func TestADeletedAccountIsGoneAndItsAddressFree(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, nil)
	u := register(t, s, "ann@example.com")
	token := login(t, s, "ann@example.com")
	identify(t, s, token)
	if err := s.Delete(t.Context(), auth.CommandLine(), u.ID); err != nil {
		t.Fatal(err)
	}
	_, err := s.Authenticate(t.Context(), token)
	refused(t, err, 401, "Unauthorized")
	if err := s.Delete(t.Context(), auth.CommandLine(), u.ID); !errors.Is(err, access.ErrHidden) {
		t.Errorf("again: %v", err)
	}
	if again := register(t, s, "Ann@Example.com"); again.ID == u.ID {
		t.Error("the new account has the id of the old one")
	}
	if text := one[string](t, db, `SELECT concat(actor, object, detail) FROM audit_log WHERE action = 'user.delete'`); strings.Contains(text, "ann@") {
		t.Errorf("the line of the deletion holds the address: %s", text)
	}
}

func TestARefusedDeletionChangesNothing(t *testing.T) {
	t.Parallel()
	no := errors.New("no")
	_, s := fresh(t, func(c *auth.Config) {
		c.Hooks.MayDelete = func(context.Context, *postgres.Tx, auth.User) error { return no }
	})
	u := register(t, s, "ann@example.com")
	token := login(t, s, "ann@example.com")
	if err := s.Delete(t.Context(), auth.CommandLine(), u.ID); !errors.Is(err, no) {
		t.Fatal(err)
	}
	identify(t, s, token)
}

func TestAccountsAreFoundByAddressNameAndState(t *testing.T) {
	t.Parallel()
	_, s := fresh(t, nil)
	name := "Zoë O'Hara_100%"
	for _, email := range []string{"ann@example.com", "bob@example.com", "zoe@example.org"} {
		r := auth.Registration{Email: email, Password: goodPassword}
		if email == "zoe@example.org" {
			r.Name = &name
		}
		if _, err := s.Register(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	boss := root(t, s, "root@example.com")
	bob, _, _ := s.FindByEmail(t.Context(), "bob@example.com")
	if _, err := s.Suspend(t.Context(), auth.CommandLine(), bob.ID); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		q    auth.UserQuery
		want []string
	}{
		{auth.UserQuery{}, []string{"root@example.com", "zoe@example.org", "bob@example.com", "ann@example.com"}},
		{auth.UserQuery{Search: "ANN@"}, []string{"ann@example.com"}},
		{auth.UserQuery{Search: " ZOË "}, []string{"zoe@example.org"}},
		{auth.UserQuery{Search: "_100%"}, []string{"zoe@example.org"}},
		{auth.UserQuery{Search: "%"}, []string{"zoe@example.org"}},
		{auth.UserQuery{Search: "b_b"}, nil},
		{auth.UserQuery{Search: `\`}, nil},
		{auth.UserQuery{Search: "\x00\xff"}, nil},
		{auth.UserQuery{Search: "'; DROP TABLE users; --"}, nil},
		{auth.UserQuery{Status: "suspended"}, []string{"bob@example.com"}},
		{auth.UserQuery{Status: "superuser"}, []string{"root@example.com"}},
		{auth.UserQuery{Status: "unverified", Search: "example.com"}, []string{"bob@example.com", "ann@example.com"}},
		{auth.UserQuery{Status: "active", Search: "example.com"}, []string{"root@example.com", "ann@example.com"}},
	} {
		if got, _ := addresses(t, s, c.q); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.q, got, c.want)
		}
	}
	account, err := s.Account(t.Context(), boss.ID)
	if err != nil || !account.HasPassword || account.CreatedAt.IsZero() {
		t.Errorf("%+v, %v", account, err)
	}
	for _, q := range []auth.UserQuery{{Status: "everybody"}, {PageID: "x"}, {PageID: strings.Repeat("A", 32) + "=="}, {PageID: "f_" + strings.Repeat("_", 30)}} {
		_, err := s.Users(t.Context(), q)
		refused(t, err, 422, "")
	}
}

func TestPagesOfAccountsMeetEachAccountOnce(t *testing.T) {
	t.Parallel()
	moment := time.Now().Truncate(time.Second) // the same for all: the id decides
	_, s := fresh(t, func(c *auth.Config) { c.Now = func() time.Time { return moment } })
	const all = 7
	for i := range all {
		register(t, s, fmt.Sprintf("u%d@example.com", i))
	}
	seen := map[string]bool{}
	next := ""
	for pages := 0; ; pages++ {
		found, after := addresses(t, s, auth.UserQuery{Limit: 3, PageID: next})
		for _, email := range found {
			if seen[email] {
				t.Errorf("%s came twice", email)
			}
			seen[email] = true
		}
		if next = after; next == "" {
			if pages != 2 {
				t.Errorf("%d pages", pages+1)
			}
			break
		}
	}
	if len(seen) != all {
		t.Errorf("%d of %d were seen", len(seen), all)
	}
}

func TestOnlyUnboundCredentialsWithTheHighestScopeAdministrate(t *testing.T) {
	t.Parallel()
	superuser := auth.User{IsSuperuser: true}
	for what, c := range map[string]struct {
		id   auth.Identity
		want bool
	}{
		"a session of a superuser":       {auth.Identity{User: superuser}, true},
		"a key with the highest scope":   {auth.Identity{User: superuser, Key: true, Scope: access.ScopeAdmin}, true},
		"a key with a lesser scope":      {auth.Identity{User: superuser, Key: true, Scope: access.ScopeWrite}, false},
		"a key that is bound to a team":  {auth.Identity{User: superuser, Key: true, Scope: access.ScopeAdmin, Bound: uuid.New()}, false},
		"somebody else":                  {auth.Identity{}, false},
		"somebody else's key of a scope": {auth.Identity{Key: true, Scope: access.ScopeAdmin}, false},
	} {
		if got := c.id.Superuser() == nil; got != c.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}

func TestAddressesOfOtherDomainsMakeNoAccountsByThemselves(t *testing.T) {
	t.Parallel()
	_, s := fresh(t, func(c *auth.Config) {
		c.EmailDomains = []string{"example.com", "bücher.example", "xn--mnchen-3ya.example"}
	})
	for _, email := range []string{"ann@example.com", "bob@EXAMPLE.com", "c@bücher.example", "d@xn--bcher-kva.example", "e@MÜNCHEN.example"} {
		register(t, s, email)
	}
	for _, email := range []string{
		"x@example.org", "x@sub.example.com", "x@notexample.com", "x@example.com.evil.org", "x@example.co", "x@buecher.example",
		"x@ехample.com", // the first two letters of the domain are Cyrillic
	} {
		_, err := s.Register(t.Context(), auth.Registration{Email: email, Password: goodPassword})
		refused(t, err, 403, "EMAIL_DOMAIN_NOT_ALLOWED")
	}
	_, err := s.Register(t.Context(), auth.Registration{Email: "no address", Password: goodPassword})
	refused(t, err, 422, "")
	made, _, err := s.AdminCreate(t.Context(), auth.CommandLine(), auth.NewAccount{Registration: auth.Registration{Email: "guest@example.org", Password: goodPassword}})
	if err != nil {
		t.Fatalf("an administrator is not held to it: %v", err)
	}

	move := func(id auth.Identity, email string) error {
		_, err := s.UpdateMe(t.Context(), id, auth.Change{Email: &email})
		return err
	}
	guest := identify(t, s, login(t, s, "guest@example.org"))
	refused(t, move(guest, "other@example.org"), 403, "EMAIL_DOMAIN_NOT_ALLOWED")
	if err := move(guest, "guest@example.org"); err != nil {
		t.Errorf("the own address is no move: %v", err)
	}
	if err := move(guest, "guest@example.com"); err != nil {
		t.Errorf("into an allowed domain: %v", err)
	}
	if _, err := s.SetEmail(t.Context(), auth.CommandLine(), made.ID, "guest@example.net"); err != nil {
		t.Errorf("by an administrator: %v", err)
	}
	root(t, s, "root@example.org")
	if err := move(identify(t, s, login(t, s, "root@example.org")), "root@example.net"); err != nil {
		t.Errorf("a superuser: %v", err)
	}
}

func TestAPasswordOfAnAdministratorFollowsTheRulesAndEndsSessions(t *testing.T) {
	t.Parallel()
	_, s := fresh(t, nil)
	u := register(t, s, "ann@example.com")
	token := login(t, s, "ann@example.com")
	_, err := s.SetPassword(t.Context(), auth.CommandLine(), u.ID, "short")
	refused(t, err, 400, "")
	identify(t, s, token)
	if _, err := s.SetPassword(t.Context(), auth.CommandLine(), u.ID, "another good one"); err != nil {
		t.Fatal(err)
	}
	_, err = s.Authenticate(t.Context(), token)
	refused(t, err, 401, "Unauthorized")
	if _, err := s.Login(t.Context(), "ann@example.com", "another good one", auth.Client{}); err != nil {
		t.Error(err)
	}
}

func TestSessionsAreEndedAndCounted(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, nil)
	u := register(t, s, "ann@example.com")
	held := []access.Credential{login(t, s, "ann@example.com"), browse(t, s, "ann@example.com")}
	for _, want := range []int{2, 0} {
		if n, err := s.EndSessions(t.Context(), auth.CommandLine(), u.ID); err != nil || n != want {
			t.Fatal(n, err)
		}
	}
	for _, c := range held {
		if _, err := s.Authenticate(t.Context(), c); err == nil {
			t.Error("a session goes on")
		}
	}
	if n := lines(t, db, "user.end-sessions", u.ID); n != 1 {
		t.Errorf("%d lines", n)
	}
	if _, err := s.EndSessions(t.Context(), auth.CommandLine(), uuid.New()); !errors.Is(err, access.ErrHidden) {
		t.Error(err)
	}
}
