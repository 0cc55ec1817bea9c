package agentserver_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// listed is a page of a search.
type listed struct {
	Items []struct {
		ID    string `json:"id"`
		Title string `json:"title"`
	} `json:"items"`
	Next *string `json:"next_page_id"`
}

func (l listed) ids() []string {
	ids := []string{}
	for _, i := range l.Items {
		ids = append(ids, i.ID)
	}
	return ids
}

func (w *world) search(who, query string) listed {
	w.t.Helper()
	a := w.ask(who, "GET", conversationsPath+"/search?"+query, nil)
	if a.status != http.StatusOK {
		w.t.Fatalf("search %s: %d %s", query, a.status, a.body)
	}
	return parsed[listed](w.t, a.body)
}

// several makes n conversations, a second apart, and returns their ids in that order.
func (w *world) several(who string, n int) []string {
	w.t.Helper()
	var ids []string
	for range n {
		w.clock.ahead += time.Second
		ids = append(ids, w.create(who, nil).String())
	}
	return ids
}

func TestASearchPagesOverOnesOwnConversations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.several("ann", 5)
	w.several("bob", 3)
	newest := slices.Clone(ids)
	slices.Reverse(newest)
	for sort, want := range map[string][]string{"": newest, "&sort_order=CREATED_AT": ids, "&sort_order=CREATED_AT_DESC": newest, "&sort_order=UPDATED_AT_DESC": newest} {
		var got []string
		for query := "limit=2" + sort; query != ""; {
			page := w.search("ann", query)
			if len(page.Items) > 2 {
				t.Errorf("%d items on a page of 2", len(page.Items))
			}
			got = append(got, page.ids()...)
			query = ""
			if page.Next != nil {
				query = "limit=2" + sort + "&page_id=" + url.QueryEscape(*page.Next)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("sort %q: %v, want %v", sort, got, want)
		}
	}
}

func TestASearchAsksTheUpstreamForItsPageOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.several("ann", 4)
	theirs := w.several("bob", 4)
	w.upstream.forget()
	w.search("ann", "limit=2")
	sent := w.upstream.arrived("/")
	if len(sent) != 1 || strings.Count(sent[0].query, "ids=") != 2 {
		t.Fatalf("forwarded %+v, want one batch of two", sent)
	}
	for _, id := range theirs {
		if strings.Contains(sent[0].query, id) {
			t.Error("a foreign id was forwarded")
		}
	}
}

func TestASearchLeavesOutWhatTheUpstreamLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.several("ann", 4)
	w.upstream.remove(uuid.MustParse(ids[3]))
	w.upstream.remove(uuid.MustParse(ids[2]))
	if got := w.search("ann", "limit=2").ids(); !slices.Equal(got, []string{ids[1], ids[0]}) {
		t.Errorf("%v, want the page after the lost ones", got)
	}
}

func TestASearchByStatusFindsWhatIsFurtherDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.several("ann", 6)
	w.upstream.mu.Lock()
	w.upstream.conversations[ids[0]]["execution_status"] = "running"
	w.upstream.mu.Unlock()
	if got := w.search("ann", "limit=2&status=running").ids(); !slices.Equal(got, ids[:1]) {
		t.Errorf("%v, want %v", got, ids[:1])
	}
	for status, want := range map[string]string{"running": "1", "idle": "5", "error": "0"} {
		if a := w.ask("ann", "GET", conversationsPath+"/count?status="+status, nil); a.body != want {
			t.Errorf("count of %s: %s, want %s", status, a.body, want)
		}
	}
	if a := w.ask("ann", "GET", conversationsPath+"/count", nil); a.body != "6" {
		t.Errorf("count: %s, want 6", a.body)
	}
}

func TestAParameterThatWouldNotCountIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for query, name := range map[string]string{
		"search?limit=0": "limit", "search?limit=101": "limit", "search?limit=x": "limit", "search?limit=": "limit", "search?limit=1&limit=2": "limit",
		"search?sort_order=TITLE": "sort_order", "search?status=asleep": "status", "search?status=": "status", "search?title=x": "title",
		"search?page_id=" + uuid.NewString(): "page_id", "count?limit=1": "limit", "search?page_id=a&page_id=b": "page_id",
		"search?include_skills=2": "include_skills", "search?include_skills=": "include_skills", "search?limit=99999999999999999999": "limit",
	} {
		a := w.ask("ann", "GET", conversationsPath+"/"+query, nil)
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `"`+name+`"`) {
			t.Errorf("%s: %d %s, want 422 naming %s", query, a.status, a.body, name)
		}
	}
	if got := w.upstream.arrived("/"); len(got) != 0 {
		t.Errorf("forwarded: %v", got)
	}
}

func TestACursorIsOfNoUseToAnotherTeam(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.several("ann", 3)
	next := w.search("ann", "limit=1").Next
	a := w.ask("bob", "GET", conversationsPath+"/search?limit=1&page_id="+url.QueryEscape(*next), nil)
	if a.status != http.StatusUnprocessableEntity {
		t.Errorf("%d %s, want 422", a.status, a.body)
	}
}

func TestASearchLearnsTitles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", nil)
	w.upstream.mu.Lock()
	w.upstream.conversations[id.String()]["title"] = "Made by the agent"
	w.upstream.mu.Unlock()
	w.search("ann", "")
	row, err := w.conversations.Get(context.Background(), id)
	if err != nil || row.Title != "Made by the agent" {
		t.Errorf("our row says %q (%v)", row.Title, err)
	}
}

func TestABatchKeepsPlacesAndHidesTheRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own, foreign, unknown := w.create("ann", nil).String(), w.create("bob", nil).String(), uuid.NewString()
	w.upstream.forget()
	hex := strings.ReplaceAll(own, "-", "")
	a := w.ask("ann", "GET", fmt.Sprintf("%s?ids=%s&ids=%s&ids=%s&ids=%s", conversationsPath, foreign, own, unknown, hex), nil)
	items := parsed[[]map[string]any](t, a.body)
	if len(items) != 4 || items[0] != nil || items[1]["id"] != own || items[2] != nil || items[3]["id"] != own {
		t.Errorf("%s, want null, own, null, own", a.body)
	}
	if sent := w.upstream.arrived("/"); len(sent) != 1 || sent[0].query != "ids="+own {
		t.Errorf("forwarded %+v, want the own id once", sent)
	}
	w.upstream.forget()
	if a := w.ask("ann", "GET", conversationsPath+"?ids="+foreign, nil); a.body != "[null]" {
		t.Errorf("%s, want [null]", a.body)
	}
	if sent := w.upstream.arrived("/"); len(sent) != 0 {
		t.Errorf("forwarded: %+v", sent)
	}
}

func TestABatchIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	many := func(n int) string {
		q := url.Values{}
		for range n {
			q.Add("ids", uuid.NewString())
		}
		return q.Encode()
	}
	for query, want := range map[string]int{
		"": 422, "ids=": 422, "ids=x": 422, "ids=%7B" + uuid.NewString() + "%7D": 422, many(99): 200, many(100): 422,
		many(10_000):                       414,
		"include_skills=banana&" + many(1): 422, "include_skills=Yes&" + many(1): 200,
	} {
		if a := w.ask("ann", "GET", conversationsPath+"?"+query, nil); a.status != want {
			t.Errorf("%.40s: %d %s, want %d", query, a.status, a.body, want)
		}
	}
}

// The upstream may be wrong, or changed: what it answers beside what was asked is not handed on.
func TestWhatWasNotAskedForIsNotShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own, foreign := w.create("ann", nil), w.create("bob", nil)
	w.upstream.script(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
		_, _ = fmt.Fprintf(rw, `[{"id":%q,"title":"theirs"},{"id":%q}]`, foreign, own)
		return true
	})
	for _, path := range []string{"/search", "?ids=" + own.String()} {
		if a := w.ask("ann", "GET", conversationsPath+path, nil); strings.Contains(a.body, "theirs") {
			t.Errorf("%s shows a foreign object: %s", path, a.body)
		}
	}
}

func TestAdoptTakesEveryConversationThatIsNobodys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owned := w.create("bob", nil)
	var free []uuid.UUID
	for range 4 {
		id := uuid.New()
		free = append(free, id)
		w.upstream.add(id, map[string]any{"title": "old", "created_at": "2025-01-02T03:04:05Z"})
	}
	if n, err := w.dialect.Adopt(context.Background(), w.gate["ann"].CurrentTeam); n != 4 || err != nil {
		t.Fatalf("adopted %d (%v), want 4", n, err)
	}
	if n, err := w.dialect.Adopt(context.Background(), w.gate["bob"].CurrentTeam); n != 0 || err != nil {
		t.Errorf("adopted %d (%v) again, want none", n, err)
	}
	for _, id := range free {
		row, err := w.conversations.Get(context.Background(), id)
		if err != nil || row.Team != w.gate["ann"].CurrentTeam || row.Title != "old" || row.WorkingDir != "/elsewhere" || row.CreatedAt.Year() != 2025 {
			t.Errorf("row %+v (%v)", row, err)
		}
	}
	if row, _ := w.conversations.Get(context.Background(), owned); row.Team != w.gate["bob"].CurrentTeam {
		t.Error("an owned conversation changed hands")
	}
}
