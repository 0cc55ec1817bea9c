package agentserver

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

// Adopt gives the team every conversation of the upstream that is nobody's: those from before, and those made behind our back.
// It returns how many there were.
func (d *Dialect) Adopt(ctx context.Context, team uuid.UUID) (int, error) {
	adopted, seen := 0, map[string]bool{}
	for cursor := ""; !seen[cursor]; {
		seen[cursor] = true
		infos, next, err := d.everyConversation(ctx, cursor)
		if err != nil {
			return adopted, err
		}
		n, err := d.config.Conversations.Adopt(ctx, team, adoptable(team, infos))
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
	if err := d.decode(reply.Body, &page); err != nil || page.Next == nil {
		return page.Items, "", err
	}
	return page.Items, *page.Next, nil
}

// adoptable turns the upstream's objects into rows. Nobody is known to have started them.
func adoptable(team uuid.UUID, infos []info) []conversation.Conversation {
	var rows []conversation.Conversation
	for _, i := range infos {
		if i.id() == uuid.Nil {
			continue
		}
		parent, _ := i["parent_conversation_id"].(string)
		row := conversation.Conversation{
			ID: i.id(), Team: team, State: access.StateLive, Title: i.title(), WorkingDir: i.workingDir(),
			CreatedAt: i.time("created_at"), UpdatedAt: i.time("updated_at"),
		}
		row.Parent, _ = proxy.ConversationID(parent)
		rows = append(rows, row)
	}
	return rows
}

// time reads a time of the upstream; one that cannot be read is now.
func (i info) time(name string) time.Time {
	s, _ := i[name].(string)
	if at, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return at
	}
	return time.Now()
}
