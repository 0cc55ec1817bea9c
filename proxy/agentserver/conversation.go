package agentserver

import (
	"context"
	"encoding/json"
	"net/http"
	"path"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

// getConversation answers with the object. An id that is still reserved exists once the upstream knows it: then it is settled.
func (d *Dialect) getConversation(x *proxy.Exchange) error {
	reply, err := x.Fetch(x.Request.Context(), proxy.Outgoing{})
	if err != nil {
		return err
	}
	if reply.Status == http.StatusOK && x.Object.State == access.StateReserved {
		if err := d.settleReserved(x.Request.Context(), x.Object.ID, reply); err != nil {
			return err
		}
	}
	d.tellReader(x, map[uuid.UUID]bool{x.Object.ID: true})
	return d.answerInfo(x, reply)
}

// settleReserved makes a reserved id live when the upstream's object is the one that was reserved.
func (d *Dialect) settleReserved(ctx context.Context, id uuid.UUID, reply *proxy.Reply) error {
	var i info
	if err := decode(reply.Body, &i); err != nil {
		return err
	}
	row, err := d.config.Conversations.Get(ctx, id)
	if err != nil {
		return err
	}
	if !d.isOurs(ctx, row, i) {
		return access.ErrHidden
	}
	return d.config.Conversations.Commit(ctx, id, i.title())
}

// isOurs says whether the upstream's object is what the row was reserved for. A conversation that was there before, and is
// nobody's, works in another folder: a guessed id does not make it the guesser's. A row without a folder is a fork, whose id
// nobody could guess, of an adopted conversation in a relative one. Containers
// have one name for all their folders.
func (d *Dialect) isOurs(ctx context.Context, row conversation.Conversation, i info) bool {
	dir := i.workingDir()
	relative := row.WorkingDir == "" && !path.IsAbs(dir)
	return i.id() == row.ID && (path.Clean(dir) == row.WorkingDir || relative || dir == containerFolder && d.apart(ctx))
}

// patchConversation forwards title and tags.
func (d *Dialect) patchConversation(x *proxy.Exchange) error {
	body, _, err := sanitized(x, rules{"title": title, "tags": dictionary(100, text(256))})
	if err != nil {
		return err
	}
	reply, err := x.Fetch(x.Request.Context(), outgoing(body))
	if err != nil {
		return err
	}
	if reply.Status >= 300 {
		return d.refusal(reply)
	}
	var result struct{ Success bool }
	if err := decode(reply.Body, &result); err != nil {
		return err
	}
	if !result.Success {
		return access.ErrHidden
	}
	if err := d.renamed(x, body["title"]); err != nil {
		return err
	}
	return x.JSON(http.StatusOK, map[string]any{"success": true})
}

func (d *Dialect) renamed(x *proxy.Exchange, v any) error {
	if name, given := v.(string); given {
		return d.config.Conversations.Rename(x.Request.Context(), x.Object.ID, name)
	}
	return d.config.Conversations.Touch(x.Request.Context(), x.Object.ID)
}

func title(s *sanitizer, loc []any, v any) (any, bool) {
	if v == "" {
		s.fault("string_too_short", loc, "String should have at least 1 character")
		return nil, false
	}
	return text(200)(s, loc, v)
}

// deleteConversation deletes at the upstream, then closes the id for ever. Once begun it goes on without the client, so that
// the two do not part.
func (d *Dialect) deleteConversation(x *proxy.Exchange) error {
	if x.Object.State != access.StateLive {
		return conversation.ErrState
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.Request.Context()), time.Minute)
	defer cancel()
	reply, err := x.Fetch(ctx, proxy.Outgoing{})
	if err != nil {
		return err
	}
	gone := reply.Status < 300 || reply.Status == http.StatusBadRequest || reply.Status == http.StatusNotFound
	if !gone {
		return d.refusal(reply)
	}
	if err := d.config.Conversations.Delete(ctx, x.Object.ID, x.Principal()); err != nil {
		return err
	}
	return x.JSON(http.StatusOK, map[string]any{"success": true})
}

// command forwards a request that changes the conversation and has no body, and brings it to the top of its lists.
func (d *Dialect) command(x *proxy.Exchange) error {
	return x.Forward(d.touching(x, proxy.Outgoing{Body: []byte{}}))
}

func (d *Dialect) askAgent(x *proxy.Exchange) error {
	return d.sanitizedCommand(x, rules{"question": text(longText)})
}

func (d *Dialect) respond(x *proxy.Exchange) error {
	return d.sanitizedCommand(x, rules{"accept": flag, "reason": text(longText)})
}

// touching bumps the conversation when the upstream agreed.
func (d *Dialect) touching(x *proxy.Exchange, out proxy.Outgoing) proxy.Outgoing {
	out.Edit = func(r *http.Response) error {
		if r.StatusCode < 300 {
			d.touch(r.Request.Context(), x.Object.ID)
		}
		return nil
	}
	return out
}

// touch never fails a request: the order of a list is not worth it. What was said may have set the agent to work.
func (d *Dialect) touch(ctx context.Context, id uuid.UUID) {
	d.running.note(id)
	if err := d.config.Conversations.Touch(ctx, id); err != nil {
		d.log.Warn("a conversation could not be bumped", "conversation", id, "error", err)
	}
}

// navigate moves the head of the history.
func (d *Dialect) navigate(x *proxy.Exchange) error {
	body, _, err := sanitized(x, rules{"event_id": text(100)})
	if err != nil {
		return err
	}
	reply, err := x.Fetch(x.Request.Context(), outgoing(body))
	if err != nil {
		return err
	}
	if reply.Status < 300 {
		d.touch(x.Request.Context(), x.Object.ID)
	}
	return d.answerInfo(x, reply)
}

// setSecrets adds secrets.
func (d *Dialect) setSecrets(x *proxy.Exchange) error {
	body, s, err := sanitized(x, rules{"secrets": secrets})
	if err != nil {
		return err
	}
	if err := d.fillSaved(x, body, s.saved); err != nil {
		return err
	}
	return x.Forward(d.touching(x, outgoing(body)))
}

func (d *Dialect) setConfirmationPolicy(x *proxy.Exchange) error {
	return d.sanitizedCommand(x, rules{"policy": confirmationPolicy})
}

func (d *Dialect) setSecurityAnalyzer(x *proxy.Exchange) error {
	return d.sanitizedCommand(x, rules{"security_analyzer": securityAnalyzer})
}

func (d *Dialect) sanitizedCommand(x *proxy.Exchange, allowed rules) error {
	body, _, err := sanitized(x, allowed)
	if err != nil {
		return err
	}
	return x.Forward(d.touching(x, outgoing(body)))
}

// switchModel gives the conversation another model. A refusal is read, not streamed, because it echoes the model.
func (d *Dialect) switchModel(x *proxy.Exchange) error {
	in, err := x.ReadJSON()
	if err != nil {
		return err
	}
	return d.switchTo(x, in)
}

// switchTo judges a body that holds a model, and gives that to the conversation.
func (d *Dialect) switchTo(x *proxy.Exchange, in map[string]any) error {
	s := &sanitizer{host: x.Request.Host}
	body := s.members([]any{"body"}, in, rules{"llm": modelOf(freshUsage())})
	if _, given := body["llm"].(map[string]any); !given {
		s.fault("missing", []any{"body", "llm"}, "Field required")
	}
	s.noTokens([]any{"body"}, body)
	if err := s.err(); err != nil {
		return err
	}
	if err := d.settleModel(x, modelAt{[]any{"body", "llm"}, body}); err != nil {
		return err
	}
	out := outgoing(body)
	out.Path = conversations + "/" + x.Object.ID.String() + "/switch_llm" // whatever the client called
	reply, err := x.Fetch(x.Request.Context(), out)
	if err != nil {
		return err
	}
	if reply.Status >= 300 {
		return d.refusal(reply)
	}
	d.touch(x.Request.Context(), x.Object.ID)
	return x.JSON(http.StatusOK, map[string]any{"success": true})
}

// sanitized reads the request's body through an allow-list.
func sanitized(x *proxy.Exchange, allowed rules) (map[string]any, *sanitizer, error) {
	in, err := x.ReadJSON()
	if err != nil {
		return nil, nil, err
	}
	s := &sanitizer{host: x.Request.Host}
	body := s.members([]any{"body"}, in, allowed)
	s.noTokens([]any{"body"}, body)
	return body, s, s.err()
}

// outgoing is the client's request with another body.
func outgoing(body any) proxy.Outgoing {
	encoded, err := json.Marshal(body)
	if err != nil { // what was decoded from JSON can be encoded
		panic(err)
	}
	return proxy.Outgoing{Body: encoded, ContentType: "application/json"}
}
