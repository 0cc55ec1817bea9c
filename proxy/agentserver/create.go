package agentserver

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

// CreateTimeout is the longest that a create may take: the first start of an agent's tools is slow, and the UI waits five
// minutes. The lease of a reservation must be longer.
const CreateTimeout = 5*time.Minute + 10*time.Second

// createConversation starts a conversation: the body is encoded anew, the id reserved, and only then is the upstream asked.
// From the reservation on it goes on without the client.
func (d *Dialect) createConversation(x *proxy.Exchange) error {
	in, err := x.ReadJSON()
	if err != nil {
		return err
	}
	d.ownFolder(x.Request.Context(), in)
	names, err := d.profiled(x, in)
	if err != nil {
		return err
	}
	s := &sanitizer{host: x.Request.Host, contained: d.apart(x.Request.Context()), bare: d.usesFiles(x)}
	request, err := s.sanitizeStart(in, d.teamRoot(x.Team()), uuid.New())
	if err != nil {
		return err
	}
	request.saved = onlySecrets(request.body, request.saved, names)
	row, err := d.reservation(x, request)
	if err != nil {
		return err
	}
	if err := d.complete(x, request); err != nil {
		return err
	}
	if err := d.free(x.Request.Context(), request); err != nil {
		return err
	}
	if err := x.Begin(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.Request.Context()), CreateTimeout)
	defer cancel()
	switch err := d.config.Conversations.Reserve(ctx, row); {
	case errors.Is(err, conversation.ErrExists):
		return d.existing(x, row.ID)
	case err != nil:
		return err
	}
	if err := d.workable(ctx, x.Fetch, row.Team, row.WorkingDir); err != nil {
		return errors.Join(err, d.config.Conversations.Fail(ctx, row.ID))
	}
	if err := d.readyContainer(ctx, x, row.WorkingDir); err != nil {
		return errors.Join(err, d.config.Conversations.Fail(ctx, row.ID))
	}
	return d.start(ctx, x, row, request)
}

// reservation is the row that the conversation will have. A child of a private conversation is private as well.
func (d *Dialect) reservation(x *proxy.Exchange, r startRequest) (conversation.Conversation, error) {
	p := x.Principal()
	row := conversation.Conversation{
		ID: r.id, Team: x.Team(), Starter: p.User, Parent: r.parent, WorkingDir: r.workingDir, State: access.StateReserved,
	}
	if r.parent == uuid.Nil {
		return row, nil
	}
	parent, err := d.config.Conversations.Find(x.Request.Context(), r.parent)
	if err != nil {
		return row, err
	}
	if parent.Team != row.Team || parent.State != access.StateLive || p.On(parent, access.ConversationWrite) != nil {
		s := &sanitizer{}
		s.refuse([]any{"body", "parent_conversation_id"}, "Parent conversation %s not found", r.parent)
		return row, s.err()
	}
	row.Private = parent.Private
	return row, nil
}

// complete fills in what the client does not say: models, and who it is. What leads elsewhere is judged here, too.
func (d *Dialect) complete(x *proxy.Exchange, r startRequest) error {
	for _, m := range r.models {
		if err := d.settleModel(x, m); err != nil {
			return err
		}
	}
	if err := d.fillServers(x, []any{"body"}, r.body); err != nil {
		return err
	}
	if err := d.checkImages(x.Request.Context(), r.images); err != nil {
		return err
	}
	if err := d.fillSaved(x, r.body, r.saved); err != nil {
		return err
	}
	r.body["user_id"] = "anonymous"
	if !x.Principal().Anonymous {
		r.body["user_id"] = x.Principal().User.String()
	}
	return nil
}

// free refuses an id that is nobody's but exists at the upstream: a reservation, however short, would open what is there. Ids
// with a row are Reserve's matter, and the upstream is not asked for them.
func (d *Dialect) free(ctx context.Context, r startRequest) error {
	if !r.given {
		return nil
	}
	known, err := d.config.Conversations.Find(ctx, r.id)
	if err != nil || known.State != access.StateNone && known.State != access.StateFailed {
		return err
	}
	found, err := d.hydrate(ctx, d.call, []uuid.UUID{r.id}, nil)
	if err != nil {
		return err
	}
	if found[r.id] != nil {
		return conversation.ErrTaken
	}
	return nil
}

// existing answers with one's own conversation, as the upstream does for an id that exists.
func (d *Dialect) existing(x *proxy.Exchange, id uuid.UUID) error {
	reply, err := x.Fetch(x.Request.Context(), proxy.Outgoing{Method: http.MethodGet, Path: conversations + "/" + id.String()})
	if err != nil {
		return err
	}
	return d.answerInfo(x, reply)
}

// start asks the upstream for the conversation of a reservation.
func (d *Dialect) start(ctx context.Context, x *proxy.Exchange, row conversation.Conversation, r startRequest) error {
	made, status, err := d.made(ctx, x, row, r.body)
	if err != nil {
		return err
	}
	d.running.note(row.ID)
	return d.commit(ctx, x, row, made, status)
}

// made asks the upstream for what a reservation is for, and takes the reservation back where that was refused. What is unknown (a
// failure, a timeout, or a crash of ours right here) stays reserved until Reconcile asks again.
func (d *Dialect) made(ctx context.Context, x *proxy.Exchange, row conversation.Conversation, body map[string]any) (made info, status int, err error) {
	reply, err := x.Fetch(ctx, outgoing(body))
	if err != nil {
		return nil, 0, err
	}
	if reply.Status >= 300 {
		return nil, 0, errors.Join(d.refusal(reply), d.config.Conversations.Fail(ctx, row.ID))
	}
	if err := decode(reply.Body, &made); err != nil {
		return nil, 0, err
	}
	if !d.isOurs(ctx, row, made) {
		d.log.Warn("an id that was asked for is a conversation of nobody", "conversation", row.ID, "team", row.Team)
		return nil, 0, errors.Join(conversation.ErrTaken, d.config.Conversations.Fail(ctx, row.ID))
	}
	return made, reply.Status, nil
}

// commit makes the reservation a conversation and answers with it.
func (d *Dialect) commit(ctx context.Context, x *proxy.Exchange, row conversation.Conversation, made info, status int) error {
	if err := d.config.Conversations.Commit(ctx, row.ID, made.title()); err != nil {
		return err
	}
	if err := d.narrow(ctx, x.Principal(), made); err != nil {
		return err
	}
	return x.JSON(status, made)
}
