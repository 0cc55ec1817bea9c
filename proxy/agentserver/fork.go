package agentserver

import (
	"context"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

// fork makes a second conversation out of the history of the first, in the same folder. Its id is ours, whatever the client
// asked for: a taken one would be told from a free one. From the reservation on it goes on without the client.
func (d *Dialect) fork(x *proxy.Exchange) error {
	body, err := forkBody(x)
	if err != nil {
		return err
	}
	source, err := d.config.Conversations.Get(x.Request.Context(), x.Object.ID)
	if err != nil {
		return err
	}
	if source.State != access.StateLive {
		return conversation.ErrState
	}
	if err := x.Begin(); err != nil {
		return err
	}
	row := conversation.Conversation{
		ID: uuid.New(), Team: source.Team, Starter: x.Principal().User, Private: source.Private, State: access.StateReserved,
		WorkingDir: source.WorkingDir, Roots: source.Roots, Parent: source.Parent, ForkedFrom: source.ID,
	}
	body["id"] = row.ID.String()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.Request.Context()), CreateTimeout)
	defer cancel()
	if err := d.config.Conversations.Reserve(ctx, row); err != nil {
		return err
	}
	return d.startFork(ctx, x, row, body)
}

// forkBody reads a body that may be absent.
func forkBody(x *proxy.Exchange) (map[string]any, error) {
	if x.Request.ContentLength == 0 {
		return map[string]any{}, nil
	}
	body, _, err := sanitized(x, rules{
		"title": title, "tags": dictionary(100, text(256)), "reset_metrics": flag, "from_event_id": text(100),
	})
	return body, err
}

// startFork asks the upstream for the fork of a reservation. It counts only once it has a key.
func (d *Dialect) startFork(ctx context.Context, x *proxy.Exchange, row conversation.Conversation, body map[string]any) error {
	made, status, err := d.made(ctx, x, row, body)
	if err != nil {
		return err
	}
	if err := d.keyFork(ctx, x, made); err != nil {
		return err
	}
	return d.commit(ctx, x, row, made, status)
}

// keyFork gives the fork's model a key, which the upstream does not copy: that of a model which may be used without one's own.
// A key that somebody brought is not kept anywhere, so such a fork gets a value that is worth nothing, and runs once the client
// switches its model: without any key the server would take one of its environment to the model's address.
func (d *Dialect) keyFork(ctx context.Context, x *proxy.Exchange, made info) error {
	agent, _ := made["agent"].(map[string]any)
	shown, _ := agent["llm"].(map[string]any)
	llm := (&sanitizer{}).members(nil, shown, modelRules())
	delete(llm, "api_key")
	llm["usage_id"] = freshUsage()
	if err := d.lend(x, llm); err != nil {
		return err
	}
	out := outgoing(map[string]any{"llm": llm})
	out.Query = url.Values{}
	out.Path = conversations + "/" + made.id().String() + "/switch_llm"
	reply, err := x.Fetch(ctx, out)
	if err != nil {
		return err
	}
	if reply.Status >= 300 {
		return d.refusal(reply)
	}
	return nil
}

// lend fills in a lent model where one is meant, else a key that opens nothing.
func (d *Dialect) lend(x *proxy.Exchange, llm map[string]any) error {
	available, err := d.lentModels(x)
	if err != nil {
		return err
	}
	for _, l := range available {
		if l.fits(trimmed(llm, "model"), trimmed(llm, "base_url")) {
			l.fill(llm)
			return nil
		}
	}
	llm["api_key"] = orUnused("")
	if strings.HasPrefix(strings.ToLower(trimmed(llm, "model")), "bedrock") {
		llm["aws_access_key_id"], llm["aws_secret_access_key"] = orUnused(""), orUnused("")
	}
	return nil
}

// freshUsage names a model in its conversation's registry. A name that is there already would keep the model it has, without a
// word.
func freshUsage() string { return "switched-" + uuid.NewString() }

// setGoal has the agent work in rounds until a goal is reached.
func (d *Dialect) setGoal(x *proxy.Exchange) error {
	body, s, err := sanitized(x, rules{"objective": text(longText), "max_iterations": number(1, maxRounds)})
	if err != nil {
		return err
	}
	if body["objective"] == nil {
		s.fault("missing", []any{"body", "objective"}, "Field required")
	}
	if body["max_iterations"] == nil {
		delete(body, "max_iterations") // the upstream's default is small
	}
	if err := s.err(); err != nil {
		return err
	}
	return x.Forward(d.touching(x, outgoing(body)))
}

// maxRounds bounds the rounds of a goal, each of which is a run.
const maxRounds = 50
