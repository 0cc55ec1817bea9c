package authhttp

import (
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// The bounds of a page.
const (
	usualPage = 50
	maxPage   = 100
)

// pageOf reads which page of a list is wanted: how many of it, and behind which id.
func pageOf(r *http.Request) (limit int, after uuid.UUID, err error) {
	query := r.URL.Query()
	limit = usualPage
	if text := query.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxPage {
			return 0, uuid.Nil, queryFault("limit", text, "Write a whole number between 1 and "+strconv.Itoa(maxPage)+".")
		}
	}
	if text := query.Get("page_id"); text != "" {
		if after, err = uuid.Parse(text); err != nil {
			return 0, uuid.Nil, queryFault("page_id", text, "Send the next_page_id of the page before, or leave it out.")
		}
	}
	return limit, after, nil
}

// queryFault is a 422 about a parameter of the query.
func queryFault(name, input, reason string) error {
	return problem.Fields(problem.Field{
		Type: "value_error", Loc: []any{"query", name}, Msg: reason, Input: clip(input), Ctx: map[string]any{"reason": reason},
	})
}

// clip bounds what is echoed.
func clip(input string) string {
	const most = 100
	if len(input) > most {
		return input[:most]
	}
	return input
}
