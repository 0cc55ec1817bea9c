package agentserver

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

// Adopt gives the team every conversation of the upstream that is nobody's: those from before, and those made behind our back.
// Those that work in a folder which would open other teams' files stay nobody's. It returns how many it gave.
func (d *Dialect) Adopt(ctx context.Context, team uuid.UUID) (int, error) {
	adopted, skipped, seen := 0, 0, map[string]bool{}
	defer func() {
		if skipped > 0 {
			d.log.Warn("conversations whose folder holds other teams' files were not adopted", "count", skipped, "team", team)
		}
	}()
	for cursor := ""; !seen[cursor]; {
		seen[cursor] = true
		infos, next, err := d.everyConversation(ctx, cursor)
		if err != nil {
			return adopted, err
		}
		rows := d.adoptable(ctx, team, infos)
		skipped += len(infos) - len(rows)
		n, err := d.config.Conversations.Adopt(ctx, team, rows)
		adopted += n
		if err != nil || next == "" {
			return adopted, err
		}
		cursor = next
	}
	return adopted, nil
}

// everyConversation is one page of all teams' conversations, for our own eyes only. Creation order keeps pages apart while
// agents work.
func (d *Dialect) everyConversation(ctx context.Context, cursor string) ([]info, string, error) {
	q := url.Values{"limit": {"100"}, "sort_order": {"CREATED_AT"}}
	if cursor != "" {
		q.Set("page_id", cursor)
	}
	reply, err := d.call(ctx, proxy.Outgoing{Method: http.MethodGet, Path: conversations + "/search", Query: q})
	if err != nil {
		return nil, "", err
	}
	if reply.Status != http.StatusOK {
		return nil, "", fmt.Errorf("list the upstream's conversations: status %d", reply.Status)
	}
	var page struct {
		Items []info  `json:"items"`
		Next  *string `json:"next_page_id"`
	}
	if err := decode(reply.Body, &page); err != nil || page.Next == nil {
		return page.Items, "", err
	}
	return page.Items, *page.Next, nil
}

// adoptable turns the upstream's objects into rows. Nobody is known to have started them.
func (d *Dialect) adoptable(ctx context.Context, team uuid.UUID, infos []info) []conversation.Conversation {
	var rows []conversation.Conversation
	for _, i := range infos {
		dir := i.workingDir()
		if dir == containerFolder && d.apart(ctx) {
			dir = "" // no folder of the host
		} else if !d.mayAdopt(team, dir) {
			continue
		}
		if i.id() == uuid.Nil {
			continue
		}
		parent, _ := i["parent_conversation_id"].(string)
		row := conversation.Conversation{
			ID: i.id(), Team: team, State: access.StateLive, Title: i.title(), WorkingDir: dir,
			CreatedAt: i.time("created_at"), UpdatedAt: i.time("updated_at"),
		}
		row.Parent, _ = proxy.ConversationID(parent)
		rows = append(rows, row)
	}
	return rows
}
