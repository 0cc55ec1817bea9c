package conversation_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	. "github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func numbered(n int) uuid.UUID {
	return uuid.MustParse(fmt.Sprintf("00000000-0000-4000-8000-%012d", n))
}

// walk reads a whole list, page by page.
func (w *world) walk(p *access.Principal, sort Sort, limit int, between func(page int)) []uuid.UUID {
	w.t.Helper()
	var ids []uuid.UUID
	cursor := ""
	for n := 1; ; n++ {
		page, next, err := w.Page(w.t.Context(), p, w.ours, Query{Cursor: cursor, Limit: limit, Sort: sort})
		w.must(err)
		for _, c := range page {
			ids = append(ids, c.ID)
		}
		if next == "" {
			return ids
		}
		if len(page) != limit {
			w.t.Fatalf("page %d holds %d of %d, and is not the last", n, len(page), limit)
		}
		cursor = next
		between(n)
	}
}

func undisturbed(int) {}

func TestPagesFollowEachOfTheFourOrders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, c, d, e := numbered(1), numbered(2), numbered(3), numbered(4), numbered(5)
	w.put(a, noon.Add(1*time.Microsecond), noon.Add(50*time.Hour))
	w.put(b, noon.Add(2*time.Microsecond), noon.Add(40*time.Hour))
	w.put(c, noon.Add(3*time.Microsecond), noon.Add(40*time.Hour)) // at the same moment as b: the id decides
	w.put(d, noon.Add(3*time.Microsecond), noon.Add(20*time.Hour)) // made at the same moment as c
	w.put(e, noon.Add(5*time.Microsecond), noon.Add(10*time.Hour))
	for sort, want := range map[Sort][]uuid.UUID{
		"":                {e, d, c, b, a},
		CreatedDescending: {e, d, c, b, a},
		CreatedAscending:  {a, b, c, d, e},
		UpdatedDescending: {a, c, b, d, e},
		UpdatedAscending:  {e, d, b, c, a},
	} {
		for limit := 1; limit <= 6; limit++ {
			if diff := cmp.Diff(want, w.walk(w.member(w.ada), sort, limit, undisturbed)); diff != "" {
				t.Errorf("%q by %d: %s", sort, limit, diff)
			}
		}
	}
}

func TestPagesStayStableWhileTheListChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range 20 {
		w.put(numbered(n), noon.Add(time.Duration(n)*time.Minute), noon)
	}
	got := w.walk(w.member(w.ada), CreatedDescending, 5, func(page int) {
		w.must(w.Delete(t.Context(), numbered(19), nil))                               // on a page that was read
		w.must(w.Delete(t.Context(), numbered(14-page+1), nil))                        // some read, some not
		w.put(numbered(100+page), noon.Add(time.Duration(100+page)*time.Minute), noon) // before all
	})
	for n := range 20 {
		count := 0
		for _, id := range got {
			if id == numbered(n) {
				count++
			}
		}
		switch gone := n >= 12 && n <= 14; {
		case count > 1, count == 0 && !gone:
			t.Errorf("conversation %d was listed %d times", n, count)
		}
	}
	if slices.Contains(got, numbered(101)) {
		t.Error("what was made later came into the pages behind")
	}
}

func TestALimitHasBounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec(`
		INSERT INTO conversations (id, team_id, state)
		SELECT gen_random_uuid(), $1, 'live'
		  FROM generate_series(1, 120)`, w.ours)
	for limit, want := range map[int]int{-1: 20, 0: 20, 7: 7, 100: 100, 1000: 100} {
		page, next, err := w.Page(t.Context(), w.member(w.ada), w.ours, Query{Limit: limit})
		if err != nil || len(page) != want || next == "" {
			t.Errorf("limit %d: %d, %q, %v", limit, len(page), next, err)
		}
	}
}

func TestACursorHoldsForItsListOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range 3 {
		w.put(numbered(n), noon, noon)
	}
	p := w.member(w.ada)
	p.Memberships = append(p.Memberships, access.Membership{Team: w.theirs, Role: access.Viewer})
	_, cursor, err := w.Page(t.Context(), p, w.ours, Query{Limit: 1, Sort: UpdatedDescending})
	w.must(err)
	raw, _ := base64.RawURLEncoding.DecodeString(cursor)
	altered := func(at int, to byte) string {
		b := slices.Clone(raw)
		b[at] = to
		return base64.RawURLEncoding.EncodeToString(b)
	}
	page := func(team uuid.UUID, cursor string, sort Sort) error {
		_, _, err := w.Page(t.Context(), p, team, Query{Cursor: cursor, Sort: sort})
		return err
	}
	w.must(page(w.ours, cursor, UpdatedDescending))
	for name, err := range map[string]error{
		"another team's":     page(w.theirs, cursor, UpdatedDescending),
		"another order's":    page(w.ours, cursor, UpdatedAscending),
		"the default's":      page(w.ours, cursor, ""),
		"no cursor at all":   page(w.ours, "nonsense", UpdatedDescending),
		"an id":              page(w.ours, numbered(1).String(), UpdatedDescending),
		"cut":                page(w.ours, cursor[:len(cursor)-2], UpdatedDescending),
		"longer":             page(w.ours, cursor+"AAAA", UpdatedDescending),
		"another version's":  page(w.ours, altered(0, 9), UpdatedDescending),
		"of an unknown sort": page(w.ours, altered(1, 200), UpdatedDescending),
		"of the far future":  page(w.ours, altered(18, 0x7f), UpdatedDescending),
		"of the far past":    page(w.ours, altered(18, 0x80), UpdatedDescending),
		"an unknown order":   page(w.ours, "", "TITLE"),
	} {
		t.Run(name, func(t *testing.T) { (&world{t: t}).wantStatus(err, http.StatusUnprocessableEntity) })
	}
}

func TestListsAreForMembersWithTheRight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.make(Conversation{Starter: w.ada, WorkingDir: "/ws/a"})
	w.make(Conversation{Team: w.theirs, WorkingDir: "/ws/theirs"})
	_, _, err := w.Page(t.Context(), w.stranger(), w.ours, Query{})
	w.want(err, access.ErrHidden)
	_, err = w.Count(t.Context(), w.stranger(), w.ours)
	w.want(err, access.ErrHidden)
	_, err = w.Containing(t.Context(), w.stranger(), w.ours, "/ws/a")
	w.want(err, access.ErrHidden)
	seen, err := w.Visible(t.Context(), w.stranger(), []uuid.UUID{c.ID, uuid.New()})
	if err != nil || len(seen) != 0 {
		t.Errorf("a stranger sees %v, %v", seen, err)
	}
	if got := w.walk(w.member(w.bob), "", 10, undisturbed); !slices.Equal(got, []uuid.UUID{c.ID}) {
		t.Errorf("a member sees %v", got)
	}
}

func TestOnlyLiveConversationsAreListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := inEachState(w, false)
	w.exec(`UPDATE conversations SET working_dir = '/ws/' || state`)
	if got := w.walk(w.member(w.ada), "", 10, undisturbed); !slices.Equal(got, []uuid.UUID{ids["live"]}) {
		t.Errorf("listed %v", got)
	}
	if n, err := w.Count(t.Context(), w.member(w.ada), w.ours); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	for state, id := range ids {
		c, err := w.Containing(t.Context(), w.member(w.ada), w.ours, "/ws/"+state+"/x")
		if found := err == nil && c.ID == id; found != (state == "live") {
			t.Errorf("%s: %v", state, err)
		}
	}
}

func TestAPrivateConversationIsItsStartersEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret := w.make(Conversation{Starter: w.ada, Private: true, WorkingDir: "/ws/secret"})
	open := w.make(Conversation{Starter: w.ada, WorkingDir: "/ws/open"})
	lost := w.make(Conversation{Private: true, WorkingDir: "/ws/lost"}) // its starter's account is gone
	admin := w.member(w.bob)
	admin.Memberships[0].Role = access.Owner
	for name, c := range map[string]struct {
		who  *access.Principal
		want []uuid.UUID
	}{
		"the starter":    {w.member(w.ada), []uuid.UUID{secret.ID, open.ID}},
		"another member": {w.member(w.bob), []uuid.UUID{open.ID}},
		"an owner":       {admin, []uuid.UUID{open.ID}},
	} {
		if got := w.walk(c.who, CreatedAscending, 1, undisturbed); !slices.Equal(got, c.want) {
			t.Errorf("%s lists %v, want %v", name, got, c.want)
		}
		if n, err := w.Count(t.Context(), c.who, w.ours); n != len(c.want) || err != nil {
			t.Errorf("%s counts %d, %v", name, n, err)
		}
		for range 2 { // from the database, then from memory
			seen, err := w.Visible(t.Context(), c.who, []uuid.UUID{secret.ID, open.ID, lost.ID, uuid.New()})
			if err != nil || len(seen) != len(c.want) || seen[secret.ID] != slices.Contains(c.want, secret.ID) || !seen[open.ID] {
				t.Errorf("%s may see %v, %v", name, seen, err)
			}
		}
		_, err := w.Containing(t.Context(), c.who, w.ours, "/ws/secret/file")
		if (err == nil) != slices.Contains(c.want, secret.ID) {
			t.Errorf("%s finds its folder: %v", name, err)
		}
	}
}

func TestVisibleAsksOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if seen, err := w.Visible(t.Context(), w.member(w.ada), nil); err != nil || len(seen) != 0 {
		t.Errorf("%v, %v", seen, err)
	}
	ids := []uuid.UUID{}
	for n := range 300 {
		w.put(numbered(n), noon, noon)
		ids = append(ids, numbered(n))
	}
	seen, err := w.Visible(t.Context(), w.member(w.bob), append(ids, uuid.New(), uuid.Nil, ids[0]))
	if err != nil || len(seen) != 300 {
		t.Errorf("%d visible, %v", len(seen), err)
	}
}

func TestAPageIsReadFromAnIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec(`
		INSERT INTO conversations (id, team_id, state, created_at, updated_at)
		SELECT gen_random_uuid(), CASE WHEN n % 2 = 0 THEN $1::uuid ELSE $2::uuid END, 'live',
		       $3::timestamptz + n * interval '1 minute', $3::timestamptz + n * interval '1 minute'
		  FROM generate_series(1, 6000) AS n`, w.ours, w.theirs, noon)
	w.exec(`ANALYZE conversations`)
	deep := noon.Add(3000 * time.Minute)
	for sort, index := range map[Sort]string{
		CreatedDescending: "conversations_team_created", CreatedAscending: "conversations_team_created",
		UpdatedDescending: "conversations_team_updated", UpdatedAscending: "conversations_team_updated",
	} {
		var plan []string
		err := w.db.SelectContext(t.Context(), &plan, `EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) `+Statement(sort),
			w.ours, uuid.NullUUID{}, deep, uuid.Nil, 21)
		w.must(err)
		text := strings.Join(plan, "\n")
		if !strings.Contains(text, index) || !strings.Contains(text, "(actual rows=21") ||
			strings.Contains(text, "Sort") || strings.Contains(text, "Removed") {
			t.Errorf("%s:\n%s", sort, text)
		}
	}
}
