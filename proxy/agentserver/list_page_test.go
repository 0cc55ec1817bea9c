package agentserver_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// A page of matches is full although others lie between them, and the next goes on behind the last that was shown.
func TestPagesByStatusAreFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.several("ann", 7)
	w.upstream.mu.Lock()
	for _, n := range []int{0, 2, 3, 6} {
		w.upstream.conversations[ids[n]]["execution_status"] = "paused"
	}
	w.upstream.mu.Unlock()
	w.upstream.remove(uuid.MustParse(ids[5]))
	for query, want := range map[string][][]string{
		"limit=2&status=paused":                       {{ids[6], ids[3]}, {ids[2], ids[0]}},
		"limit=3&status=paused":                       {{ids[6], ids[3], ids[2]}, {ids[0]}},
		"limit=4&status=paused&sort_order=CREATED_AT": {{ids[0], ids[2], ids[3], ids[6]}},
		"limit=1&status=idle":                         {{ids[4]}, {ids[1]}},
		"limit=2&status=stuck":                        {{}},
		"limit=4":                                     {{ids[6], ids[4], ids[3], ids[2]}, {ids[1], ids[0]}},
		"limit=6":                                     {{ids[6], ids[4], ids[3], ids[2], ids[1], ids[0]}},
	} {
		var got [][]string
		for next := query; next != ""; {
			page := w.search("ann", next)
			if got, next = append(got, page.ids()), ""; page.Next != nil {
				next = query + "&page_id=" + *page.Next
			}
		}
		if !slices.EqualFunc(got, want, slices.Equal[[]string]) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
}

func TestACountByStatusAsksForAsManyAtOnceAsTheUpstreamTakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.several("ann", 120)
	w.upstream.forget()
	if a := w.ask("ann", "GET", conversationsPath+"/count?status=idle", nil); a.body != "120" {
		t.Errorf("%s, want 120", a.body)
	}
	if sent := w.upstream.arrived("/"); len(sent) != 2 {
		t.Errorf("%d requests, want 2", len(sent))
	}
}

// Whoever knows another team's id and cursor, and how a cursor is made, still chooses among their own rows only; what is no
// cursor of this list is refused before anybody is asked.
func TestForgedCursorsOpenNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs, own := w.several("ann", 3), w.several("bob", 3)
	next := *w.search("ann", "limit=1").Next
	mine := *w.search("bob", "limit=1").Next
	raw := func(cursor string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(cursor)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	grafted := raw(next)
	copy(grafted[2:18], w.gate["bob"].CurrentTeam[:]) // at ann's place, in bob's list
	flipped := raw(mine)
	flipped[1] = 1
	w.upstream.forget()
	for name, c := range map[string]struct {
		query string
		want  int
	}{
		"grafted":        {"page_id=" + base64.RawURLEncoding.EncodeToString(grafted), 200},
		"another team's": {"page_id=" + next, 422},
		"another sort's": {"sort_order=UPDATED_AT&page_id=" + mine, 422},
		"relabelled":     {"page_id=" + base64.RawURLEncoding.EncodeToString(flipped), 422},
		"of any length":  {"page_id=" + strings.Repeat("A", 30_000), 422},
		"an id":          {"page_id=" + theirs[0], 422},
		"an id in hex":   {"page_id=" + strings.ReplaceAll(own[0], "-", ""), 422},
		"with a NUL":     {"page_id=%00", 400},
		"no UTF-8":       {"page_id=%ff%fe", 422},
	} {
		a := w.ask("bob", "GET", conversationsPath+"/search?"+c.query, nil)
		if a.status != c.want {
			t.Errorf("%s: %d %.300s, want %d", name, a.status, a.body, c.want)
		}
		for _, id := range theirs {
			if name != "an id" && strings.Contains(a.body, id) {
				t.Errorf("%s shows a foreign id", name)
			}
		}
		if sent := w.upstream.arrived("/"); c.want != 200 && len(sent) != 0 {
			t.Errorf("%s was forwarded: %v", name, sent)
		}
		w.upstream.forget()
	}
}
