package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// lister asks the product as one of many tenants, and the upstream as the one who may see all.
type lister struct {
	*client
	own map[string]bool
}

// TestListsAreTheUpstreamsOwnWithoutOthers compares what a team of twelve conversations gets with what the upstream itself says,
// filtered by hand: order, filters, pages, the answers to batches, and what is refused.
func TestListsAreTheUpstreamsOwnWithoutOthers(t *testing.T) {
	t.Parallel()
	l := &lister{client: signedUp(t, shared(t).url), own: map[string]bool{}}
	other := signedUp(t, l.base)
	ids := l.twelve(other)
	for _, sort := range []string{"", "CREATED_AT", "CREATED_AT_DESC", "UPDATED_AT", "UPDATED_AT_DESC"} {
		for _, status := range []string{"", "idle", "finished", "paused", "running"} {
			l.compareLists(sort, status)
		}
	}
	l.compareBatches(ids, other.create(""))
	l.compareRefusals(ids[0])
}

// twelve are the team's conversations: at rest, finished, paused, a fork, renamed ones, and another's between them.
func (l *lister) twelve(other *client) (ids []string) {
	l.t.Helper()
	for n := range 11 {
		message := ""
		if n%4 == 1 {
			message = "run: echo " + fmt.Sprint(n)
		}
		ids = append(ids, l.create(message))
		if n%4 == 2 {
			other.create("")
		}
	}
	for n := 1; n < 11; n += 4 {
		l.finished(ids[n])
	}
	ids = append(ids, l.field(l.want(http.StatusCreated, l.post("/api/conversations/"+ids[1]+"/fork", map[string]any{})), "id"))
	l.want(http.StatusOK, l.post("/api/conversations/"+ids[3]+"/pause", map[string]any{}))
	for _, n := range []int{7, 2} {
		l.want(http.StatusOK, l.json("PATCH", "/api/conversations/"+ids[n], map[string]any{"title": fmt.Sprint("Number ", n)}))
	}
	for _, id := range ids {
		l.own[id] = true
	}
	return ids
}

type listing struct {
	Items []struct {
		ID      string    `json:"id"`
		Updated time.Time `json:"updated_at"`
	} `json:"items"`
	Next *string `json:"next_page_id"`
}

// walk reads a list to its end. No page but the last may be short.
func (l *lister) walk(ask func(query string) answer, q url.Values, limit int) (ids []string) {
	l.t.Helper()
	q.Set("limit", fmt.Sprint(limit))
	for {
		var page listing
		l.want(http.StatusOK, ask("/search?"+q.Encode())).json(l.t, &page)
		for _, item := range page.Items {
			ids = append(ids, item.ID)
		}
		if page.Next == nil {
			return ids
		}
		if len(page.Items) != limit {
			l.t.Errorf("%v: %d items on a page that is not the last", q, len(page.Items))
		}
		q.Set("page_id", *page.Next)
	}
}

func (l *lister) product(query string) answer { return l.get("/api/conversations" + query) }

func (l *lister) direct(query string) answer {
	l.t.Helper()
	r, err := http.NewRequestWithContext(l.t.Context(), "GET", world.upstream.URL()+"/api/conversations"+query, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	r.Header.Set("X-Session-API-Key", world.upstream.Key())
	a, err := do(r)
	if err != nil {
		l.t.Fatal(err)
	}
	return a
}

// compareLists waits as long as lists by the last change may lag behind.
func (l *lister) compareLists(sort, status string) {
	l.t.Helper()
	filter := func() url.Values {
		q := url.Values{}
		for name, v := range map[string]string{"sort_order": sort, "status": status} {
			if v != "" {
				q.Set(name, v)
			}
		}
		return q
	}
	within(l.t, time.Minute, "the list by "+filter().Encode()+" is the upstream's", func() error {
		want := slices.DeleteFunc(l.upstreamWalk(filter()), func(id string) bool { return !l.own[id] })
		for _, limit := range []int{1, 5, 12, 100} {
			if got := l.walk(l.product, filter(), limit); !slices.Equal(got, want) {
				return fmt.Errorf("by %d: %v, want %v", limit, got, want)
			}
		}
		query := "/count?" + url.Values{"status": filter()["status"]}.Encode()
		if got := l.want(http.StatusOK, l.product(query)).body; got != fmt.Sprint(len(want)) {
			return fmt.Errorf("counted %s, want %d", got, len(want))
		}
		return nil
	})
}

// upstreamWalk is in one piece where it can be: others are at work there, and move in the order by the last change.
func (l *lister) upstreamWalk(q url.Values) (ids []string) {
	l.t.Helper()
	q.Set("limit", "100")
	for {
		var page listing
		l.want(http.StatusOK, l.direct("/search?"+q.Encode())).json(l.t, &page)
		for _, item := range page.Items {
			ids = append(ids, item.ID)
		}
		if page.Next == nil {
			return ids
		}
		q.Set("page_id", *page.Next)
	}
}

// compareBatches asks with others' and unknown ids, doubles, and other spellings.
func (l *lister) compareBatches(ids []string, foreign string) {
	l.t.Helper()
	asked := []string{ids[4], foreign, ids[0], uuid.NewString(), strings.ToUpper(ids[4]), ids[11], strings.ReplaceAll(ids[0], "-", ""), foreign}
	query := "?" + url.Values{"ids": asked}.Encode()
	read := func(a answer) (found []string) {
		var items []*struct {
			ID string `json:"id"`
		}
		l.want(http.StatusOK, a).json(l.t, &items)
		for _, item := range items {
			if item == nil {
				found = append(found, "null")
			} else {
				found = append(found, item.ID)
			}
		}
		return found
	}
	want := read(l.direct(query))
	for n, id := range want {
		if !l.own[id] {
			want[n] = "null"
		}
	}
	if got := read(l.product(query)); !slices.Equal(got, want) || len(got) != len(asked) {
		l.t.Errorf("the batch is %v, want %v", got, want)
	}
}

// compareRefusals has both refuse the same, for the same reason, at the same place.
func (l *lister) compareRefusals(id string) {
	l.t.Helper()
	for _, query := range []string{
		"/search?limit=0", "/search?limit=-1", "/search?limit=101", "/search?limit=x", "/search?limit=", "/search?limit=5.5",
		"/search?limit=99999999999999999999", "/search?limit=-99999999999999999999", "/search?status=", "/search?status=IDLE",
		"/search?status=asleep", "/search?sort_order=", "/search?sort_order=TITLE", "/search?sort_order=created_at",
		"/search?include_skills=", "/search?include_skills=banana", "/search?include_skills=2", "/search?include_skills=%20true",
		"/search?limit=0&status=x&sort_order=y&include_skills=z", "/count?status=", "/count?status=x", "", "?ids=", "?ids=x",
		"?ids=" + id + "&ids=x&ids=y", "?include_skills=banana", "?include_skills=banana&ids=" + id, "?ids=" + id + "0",
		"/search?include_skills=YES&limit=1", "/search?include_skills=off&limit=%2B5", "/search?limit=007", "/search?page_id=",
	} {
		theirs, ours := l.direct(query), l.product(query)
		if ours.status != theirs.status || reasons(l, ours) != reasons(l, theirs) {
			l.t.Errorf("%s: %d %s, and the upstream says %d %s", query, ours.status, reasons(l, ours), theirs.status, reasons(l, theirs))
		}
	}
}

// reasons are type and place of each fault.
func reasons(l *lister, a answer) string {
	if a.status != http.StatusUnprocessableEntity {
		return ""
	}
	var body struct {
		Detail []struct {
			Type string `json:"type"`
			Loc  []any  `json:"loc"`
		} `json:"detail"`
	}
	a.json(l.t, &body)
	raw, _ := json.Marshal(body.Detail)
	return string(raw)
}
