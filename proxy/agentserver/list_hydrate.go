package agentserver

import (
	"context"
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

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
