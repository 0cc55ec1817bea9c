package agentserver

import (
	"context"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

const (
	// batchLimit is how many ids the upstream takes at once: it fails at a hundred.
	batchLimit = 99
	// maxScan is how many pages one search looks at for a match. A search that found none so far answers with a cursor.
	maxScan = 10
)

// searchConversations pages over our own rows and takes the objects from the upstream, so a page costs what it shows.
func (d *Dialect) searchConversations(x *proxy.Exchange) error {
	q, err := readListQuery(x.Query(), "page_id", "limit", "status", "sort_order", "include_skills")
	if err != nil {
		return err
	}
	items, next, err := d.scan(x, q)
	if err != nil {
		return err
	}
	if err := d.narrow(x.Request.Context(), x.Principal(), items...); err != nil {
		return err
	}
	return x.JSON(http.StatusOK, map[string]any{"items": items, "next_page_id": nullable(next)})
}

// scan fills a page: objects that the upstream no longer has, or that do not match the status, are left out, and others come in
// their places. Only where these are too far down is the page short, with the cursor to go on.
func (d *Dialect) scan(x *proxy.Exchange, q listQuery) (items []info, next string, err error) {
	wanted := q.Limit
	items = []info{}
	for range maxScan {
		if q.Limit = wanted - len(items); q.status != "" {
			q.Limit = batchLimit
		}
		page, err := d.page(x, q)
		if err != nil {
			return nil, "", err
		}
		for n, i := range page.objects {
			if i == nil {
				continue
			}
			if items = append(items, i); len(items) == wanted {
				return items, page.after(q, n), nil
			}
		}
		if q.Cursor = page.next; page.next == "" {
			break
		}
	}
	return items, q.Cursor, nil
}

// pageOfRows is one page of rows, the object of each in its place, nil for what is to be left out.
type pageOfRows struct {
	rows    []conversation.Conversation
	objects []info
	next    string
}

// after is the cursor behind the nth row, empty where nothing is. What is to be left out is passed over.
func (p pageOfRows) after(q listQuery, n int) string {
	if !slices.ContainsFunc(p.objects[n+1:], func(i info) bool { return i != nil }) {
		return p.next
	}
	return q.After(p.rows[n])
}

func (d *Dialect) page(x *proxy.Exchange, q listQuery) (p pageOfRows, err error) {
	ctx := x.Request.Context()
	p.rows, p.next, err = d.config.Conversations.Page(ctx, x.Principal(), x.Team(), q.Query)
	if err != nil {
		return p, err
	}
	found, err := d.hydrate(ctx, x.Fetch, rowIDs(p.rows), q.extra)
	if err != nil {
		return p, err
	}
	d.refresh(ctx, p.rows, found)
	p.objects = make([]info, len(p.rows))
	for n, row := range p.rows {
		if i, present := found[row.ID]; present && (q.status == "" || i.status() == q.status) {
			p.objects[n] = i
		}
	}
	return p, nil
}

// refresh brings the rows that lag behind up to what the upstream says. It never fails a list.
func (d *Dialect) refresh(ctx context.Context, rows []conversation.Conversation, found map[uuid.UUID]info) {
	var behind []conversation.Conversation
	for _, row := range rows {
		i, present := found[row.ID]
		if !present {
			continue
		}
		d.notice(i)
		said := i.row()
		if said.UpdatedAt.After(row.UpdatedAt) || said.Title != "" && said.Title != row.Title {
			behind = append(behind, said)
		}
	}
	if err := d.config.Conversations.Refresh(ctx, behind); err != nil {
		d.log.Warn("conversations could not be brought up to date", "count", len(behind), "error", err)
	}
}

// countConversations counts our own rows; with a status it must look at each.
func (d *Dialect) countConversations(x *proxy.Exchange) error {
	q, err := readListQuery(x.Query(), "status")
	if err != nil {
		return err
	}
	if q.status == "" {
		n, err := d.config.Conversations.Count(x.Request.Context(), x.Principal(), x.Team())
		if err != nil {
			return err
		}
		return x.JSON(http.StatusOK, n)
	}
	n := 0
	q.Limit = batchLimit
	for {
		page, err := d.page(x, q)
		if err != nil {
			return err
		}
		for _, i := range page.objects {
			if i != nil {
				n++
			}
		}
		if q.Cursor = page.next; page.next == "" {
			return x.JSON(http.StatusOK, n)
		}
	}
}

// batchConversations answers for each id in its place: the object, or null for what is missing or hidden. Only the caller's own
// ids reach the upstream.
func (d *Dialect) batchConversations(x *proxy.Exchange) error {
	r := &queryReader{values: x.Query()}
	ids := r.ids()
	skills := r.skills()
	if err := r.err(); err != nil {
		return err
	}
	ctx := x.Request.Context()
	visible, err := d.config.Conversations.Visible(ctx, x.Principal(), ids)
	if err != nil {
		return err
	}
	found, err := d.hydrate(ctx, x.Fetch, eachOnce(ids, visible), skills)
	if err != nil {
		return err
	}
	items := []info{}
	for _, i := range found {
		items = append(items, i)
	}
	d.notice(items...)
	if err := d.narrow(ctx, x.Principal(), items...); err != nil {
		return err
	}
	answer := make([]info, len(ids))
	for n, id := range ids {
		answer[n] = found[id] // nil encodes as null
	}
	d.tellReader(x, visible)
	return x.JSON(http.StatusOK, answer)
}

// ids reads the parameter ids, which may be repeated.
func (r *queryReader) ids() []uuid.UUID {
	given := r.values["ids"]
	switch {
	case len(given) == 0:
		r.fault("missing", "ids", "Field required", nil)
	case len(given) > batchLimit:
		r.fault("too_long", "ids", "List should have at most 99 items", nil)
		return nil
	}
	ids := make([]uuid.UUID, len(given))
	for n, s := range given {
		id, ok := proxy.ConversationID(s)
		if !ok {
			r.faults = append(r.faults, problem.Field{
				Type: "uuid_parsing", Loc: []any{"query", "ids", n}, Msg: "Input should be a valid UUID", Input: s,
			})
		}
		ids[n] = id
	}
	return ids
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}
