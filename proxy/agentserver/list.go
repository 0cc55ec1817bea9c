package agentserver

import (
	"context"
	"net/http"
	"net/url"

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

// searchConversations pages over our own rows and takes the objects from the upstream, so a page costs what it shows. Pages may
// be short: objects that the upstream no longer has, or that do not match the status, are left out.
func (d *Dialect) searchConversations(x *proxy.Exchange) error {
	q, err := readListQuery(x.Query(), "page_id", "limit", "status", "sort_order", "include_skills")
	if err != nil {
		return err
	}
	items := []info{}
	for range maxScan {
		page, next, err := d.page(x, q)
		if err != nil {
			return err
		}
		items, q.Cursor = append(items, page...), next
		if len(items) > 0 || next == "" {
			break
		}
	}
	if err := d.narrow(x.Request.Context(), x.Principal(), items...); err != nil {
		return err
	}
	return x.JSON(http.StatusOK, map[string]any{"items": items, "next_page_id": nullable(q.Cursor)})
}

// page is one page of rows with their objects, in the order of the rows.
func (d *Dialect) page(x *proxy.Exchange, q listQuery) ([]info, string, error) {
	ctx := x.Request.Context()
	rows, next, err := d.config.Conversations.Page(ctx, x.Principal(), x.Team(), q.Query)
	if err != nil {
		return nil, "", err
	}
	found, err := d.hydrate(ctx, x.Fetch, rowIDs(rows), q.extra)
	if err != nil {
		return nil, "", err
	}
	d.refresh(ctx, rows, found)
	items := []info{}
	for _, row := range rows {
		if i, present := found[row.ID]; present && (q.status == "" || i.status() == q.status) {
			items = append(items, i)
		}
	}
	return items, next, nil
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
	for {
		items, next, err := d.page(x, q)
		if err != nil {
			return err
		}
		n += len(items)
		if q.Cursor = next; next == "" {
			return x.JSON(http.StatusOK, n)
		}
	}
}

// batchConversations answers for each id in its place: the object, or null for what is missing or hidden. Only the caller's own
// ids reach the upstream.
func (d *Dialect) batchConversations(x *proxy.Exchange) error {
	r := &queryReader{values: x.Query()}
	skills := r.skills()
	ids := r.ids()
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

// fetcher asks the upstream, for a client or for ourselves.
type fetcher func(context.Context, proxy.Outgoing) (*proxy.Reply, error)

// hydrate reads the objects of ids from the upstream, in batches. What it answers beside what was asked is dropped.
func (d *Dialect) hydrate(ctx context.Context, fetch fetcher, ids []uuid.UUID, query url.Values) (map[uuid.UUID]info, error) {
	found := map[uuid.UUID]info{}
	for len(ids) > 0 {
		n := min(len(ids), batchLimit)
		if err := d.hydrateBatch(ctx, fetch, ids[:n], query, found); err != nil {
			return nil, err
		}
		ids = ids[n:]
	}
	return found, nil
}

func (d *Dialect) hydrateBatch(ctx context.Context, fetch fetcher, ids []uuid.UUID, query url.Values, found map[uuid.UUID]info) error {
	q := url.Values{"ids": texts(ids)}
	for name, values := range query {
		q[name] = values
	}
	reply, err := fetch(ctx, proxy.Outgoing{Method: http.MethodGet, Path: conversations, Query: q})
	if err != nil {
		return err
	}
	if reply.Status != http.StatusOK {
		return d.refusal(reply)
	}
	var infos []info
	if err := decode(reply.Body, &infos); err != nil {
		return err
	}
	for n, i := range infos {
		if n < len(ids) && i != nil && i.id() == ids[n] {
			found[ids[n]] = i
		}
	}
	return nil
}

func rowIDs(rows []conversation.Conversation) []uuid.UUID {
	ids := make([]uuid.UUID, len(rows))
	for n := range rows {
		ids[n] = rows[n].ID
	}
	return ids
}

// eachOnce are the visible ids, each once.
func eachOnce(ids []uuid.UUID, visible map[uuid.UUID]bool) []uuid.UUID {
	kept, seen := []uuid.UUID{}, map[uuid.UUID]bool{}
	for _, id := range ids {
		if visible[id] && !seen[id] {
			kept, seen[id] = append(kept, id), true
		}
	}
	return kept
}

func texts(ids []uuid.UUID) []string {
	all := make([]string, len(ids))
	for n, id := range ids {
		all[n] = id.String()
	}
	return all
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}
