package agentserver

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

// info is a conversation as the upstream describes it. Numbers keep their digits.
type info map[string]any

// id is the conversation's id, or uuid.Nil when there is none.
func (i info) id() uuid.UUID {
	s, _ := i["id"].(string)
	id, _ := proxy.ConversationID(s)
	return id
}

func (i info) title() string {
	s, _ := i["title"].(string)
	return s
}

func (i info) status() string {
	s, _ := i["execution_status"].(string)
	return s
}

func (i info) running() bool { return i.status() == "running" }

// time reads a time of the upstream; one that cannot be read is the zero time.
func (i info) time(name string) time.Time {
	s, _ := i[name].(string)
	at, _ := time.Parse(time.RFC3339Nano, s)
	return at
}

// row is what the upstream knows better than our row.
func (i info) row() conversation.Conversation {
	return conversation.Conversation{ID: i.id(), Title: i.title(), UpdatedAt: i.time("updated_at")}
}

// workingDir is the folder the agent works in.
func (i info) workingDir() string {
	workspace, _ := i["workspace"].(map[string]any)
	s, _ := workspace["working_dir"].(string)
	return s
}

// related are the members that hold ids of other conversations.
func related() []string { return []string{"parent_conversation_id", "forked_from_conversation_id"} }

// narrow removes from infos what is not for p: ids of conversations that p may not see, the upstream's own folders, and the
// parts of a model that it shows in clear.
func (d *Dialect) narrow(ctx context.Context, p *access.Principal, infos ...info) error {
	var ids []uuid.UUID
	for _, i := range infos {
		ids = append(ids, i.others()...)
	}
	visible := map[uuid.UUID]bool{}
	if len(ids) > 0 {
		var err error
		if visible, err = d.config.Conversations.Visible(ctx, p, ids); err != nil {
			return err
		}
	}
	for _, i := range infos {
		i.keep(visible)
		i.hide()
	}
	return nil
}

// others are the ids of other conversations in i.
func (i info) others() []uuid.UUID {
	var ids []uuid.UUID
	add := func(v any) {
		s, _ := v.(string)
		if id, ok := proxy.ConversationID(s); ok {
			ids = append(ids, id)
		}
	}
	for _, name := range related() {
		add(i[name])
	}
	children, _ := i["sub_conversation_ids"].([]any)
	for _, child := range children {
		add(child)
	}
	return ids
}

// keep leaves only the ids in visible.
func (i info) keep(visible map[uuid.UUID]bool) {
	seen := func(v any) bool {
		s, _ := v.(string)
		id, ok := proxy.ConversationID(s)
		return ok && visible[id]
	}
	for _, name := range related() {
		if i[name] != nil && !seen(i[name]) {
			i[name] = nil
		}
	}
	if i["forked_from_conversation_id"] == nil && i["forked_from_event_id"] != nil {
		i["forked_from_event_id"] = nil
	}
	children, present := i["sub_conversation_ids"].([]any)
	if !present {
		return
	}
	kept := []any{}
	for _, child := range children {
		if seen(child) {
			kept = append(kept, child)
		}
	}
	i["sub_conversation_ids"] = kept
}

// hide removes what belongs to nobody outside.
func (i info) hide() {
	if _, present := i["persistence_dir"]; present {
		i["persistence_dir"] = nil
	}
	hideModels(i["agent"])
	hideModels(i["security_analyzer"])
}

// hideModels empties the members of models and MCP servers that the upstream returns in clear, wherever they stand below v.
func hideModels(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range sortedKeys(v) {
			switch name {
			case "extra_headers":
				v[name] = nil
			case "litellm_extra_body":
				v[name] = map[string]any{}
			case "auth": // of an MCP server: the upstream masks its keys, not all that a sign-in gave
				if auth, isObject := v[name].(map[string]any); isObject {
					delete(auth, "state")
				}
			default:
				hideModels(v[name])
			}
		}
	case []any:
		for i := range v {
			hideModels(v[i])
		}
	}
}

// decode reads JSON of the upstream, keeping the digits of numbers. The engine masked it already.
func decode(body []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(v); err != nil {
		return problem.New(http.StatusBadGateway, "The agent server gave an answer that could not be read. Try again.").Because(err)
	}
	return nil
}

// answerInfo answers with the one conversation in reply, or passes a refusal of the upstream on.
func (d *Dialect) answerInfo(x *proxy.Exchange, reply *proxy.Reply) error {
	if reply.Status >= 300 {
		return d.refusal(reply)
	}
	var i info
	if err := decode(reply.Body, &i); err != nil {
		return err
	}
	d.notice(i)
	if err := d.narrow(x.Request.Context(), x.Principal(), i); err != nil {
		return err
	}
	return x.JSON(reply.Status, i)
}

// refusal turns a 4xx of the upstream into a problem of ours. The inputs that it echoes are left out: they hold what was
// filled in for the caller. Its texts for missing conversations differ from route to route; ours is one.
func (d *Dialect) refusal(reply *proxy.Reply) error {
	if reply.Status == http.StatusNotFound {
		return access.ErrHidden
	}
	var body struct{ Detail any }
	if err := decode(reply.Body, &body); err != nil || body.Detail == nil {
		return problem.New(reply.Status, http.StatusText(reply.Status))
	}
	faults, _ := body.Detail.([]any)
	for _, fault := range faults {
		if f, ok := fault.(map[string]any); ok {
			f["input"] = nil
			delete(f, "ctx")
		}
	}
	return &problem.Error{Status: reply.Status, Detail: body.Detail}
}
