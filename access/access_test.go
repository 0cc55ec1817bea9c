package access_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/google/uuid"

	. "github.com/openhands-saas/openhands-saas/access"
)

var (
	ours   = uuid.MustParse("00000000-0000-4000-8000-000000000001")
	theirs = uuid.MustParse("00000000-0000-4000-8000-000000000002")
	ada    = uuid.MustParse("00000000-0000-4000-8000-00000000000a")
	bob    = uuid.MustParse("00000000-0000-4000-8000-00000000000b")
)

func member(user uuid.UUID, role Role) *Principal {
	return &Principal{User: user, CurrentTeam: ours, Memberships: []Membership{{Team: ours, Role: role}}}
}

func want(t *testing.T, got, wanted error) {
	t.Helper()
	if !errors.Is(got, wanted) {
		t.Errorf("got %v, want %v", got, wanted)
	}
}

func TestAStrangerIsTold404AndAMember403(t *testing.T) {
	t.Parallel()
	p := member(ada, Developer)
	want(t, p.In(ours, TeamRead), nil)
	want(t, p.In(ours, MemberAdd), ErrForbidden)
	want(t, p.In(theirs, TeamRead), ErrHidden)
	want(t, p.In(theirs, MemberAdd), ErrHidden)
	want(t, p.In(uuid.Nil, TeamRead), ErrHidden)
}

func TestASuperuserIsNoMember(t *testing.T) {
	t.Parallel()
	root := &Principal{User: ada, Superuser: true}
	want(t, root.In(ours, TeamRead), ErrHidden)
	want(t, root.On(Object{ID: uuid.New(), Team: ours, Starter: bob, State: StateLive}, ConversationRead), ErrHidden)
}

func TestOnAConversation(t *testing.T) {
	t.Parallel()
	object := func(team, starter uuid.UUID, private bool, state State) Object {
		return Object{ID: uuid.New(), Team: team, Starter: starter, Private: private, State: state}
	}
	anonymous := &Principal{
		Anonymous: true, CurrentTeam: AnonymousTeam, Memberships: []Membership{{Team: AnonymousTeam, Role: Developer}},
	}
	for name, c := range map[string]struct {
		who        *Principal
		object     Object
		permission Permission
		want       error
	}{
		"a member reads":                         {member(ada, Viewer), object(ours, bob, false, StateLive), ConversationRead, nil},
		"a viewer does not write":                {member(ada, Viewer), object(ours, bob, false, StateLive), ConversationWrite, ErrForbidden},
		"a developer writes":                     {member(ada, Developer), object(ours, bob, false, StateLive), ConversationWrite, nil},
		"a stranger sees nothing":                {member(ada, Owner), object(theirs, bob, false, StateLive), ConversationRead, ErrHidden},
		"not even what they once started":        {member(ada, Owner), object(theirs, ada, false, StateLive), ConversationRead, ErrHidden},
		"no row is nobody's":                     {member(ada, Owner), Object{}, ConversationRead, ErrHidden},
		"no row is not anonymous' either":        {anonymous, Object{}, ConversationRead, ErrHidden},
		"one being made is seen":                 {member(ada, Viewer), object(ours, ada, false, StateReserved), ConversationRead, nil},
		"a failed one is gone":                   {member(ada, Owner), object(ours, ada, false, StateFailed), ConversationRead, ErrHidden},
		"a deleted one is gone":                  {member(ada, Owner), object(ours, ada, false, StateDeleted), ConversationRead, ErrHidden},
		"a private one is its starter's":         {member(ada, Viewer), object(ours, ada, true, StateLive), ConversationRead, nil},
		"a private one is hidden from an owner":  {member(ada, Owner), object(ours, bob, true, StateLive), ConversationRead, ErrHidden},
		"and hidden, not forbidden, to change":   {member(ada, Viewer), object(ours, bob, true, StateLive), ConversationWrite, ErrHidden},
		"a private one without starter":          {member(ada, Owner), object(ours, uuid.Nil, true, StateLive), ConversationRead, ErrHidden},
		"a developer deletes their own":          {member(ada, Developer), object(ours, ada, false, StateLive), ConversationDelete, nil},
		"a developer deletes nobody else's":      {member(ada, Developer), object(ours, bob, false, StateLive), ConversationDelete, ErrForbidden},
		"an admin deletes anybody's":             {member(ada, Admin), object(ours, bob, false, StateLive), ConversationDelete, nil},
		"an adopted one is an admin's to delete": {member(ada, Developer), object(ours, uuid.Nil, false, StateLive), ConversationDelete, ErrForbidden},
		"anonymous reads its team's":             {anonymous, object(AnonymousTeam, uuid.Nil, false, StateLive), ConversationRead, nil},
		"anonymous deletes its team's":           {anonymous, object(AnonymousTeam, uuid.Nil, false, StateLive), ConversationDelete, nil},
		"anonymous sees no team's":               {anonymous, object(ours, uuid.Nil, false, StateLive), ConversationRead, ErrHidden},
		"a user does not see anonymous'":         {member(ada, Owner), object(AnonymousTeam, uuid.Nil, false, StateLive), ConversationRead, ErrHidden},
		"nobody holds nobody":                    {member(ada, Owner), object(ours, ada, false, StateLive), Nobody, ErrForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want(t, c.who.On(c.object, c.permission), c.want)
		})
	}
}

// A map of a hundred thousand objects must cost the garbage collector nothing.
func TestAnObjectHoldsNoPointers(t *testing.T) {
	t.Parallel()
	object := reflect.TypeFor[Object]()
	for field := range object.Fields() {
		switch field.Type.Kind() {
		case reflect.Array, reflect.Bool, reflect.Uint8:
		default:
			t.Errorf("%s is a %s", field.Name, field.Type)
		}
	}
}
