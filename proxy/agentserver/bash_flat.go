package agentserver

import (
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// A flat command that was started is asked about by its id alone, as the Python SDK does it for each of its commands. So the id
// that we answer with names the conversation, too: every replica can tell whose command it is, and nothing is remembered.

// commandMark stands between the upstream's id of a command and the id of its conversation.
const commandMark = "."

// flatStart starts a command as that of the conversation in whose folder it starts.
func (d *Dialect) flatStart(x *proxy.Exchange) error {
	body, err := d.bashBody(x, text(4096))
	if err == nil {
		err = d.aimBash(x, body)
	}
	if err != nil {
		return err
	}
	out := outgoing(body)
	out.Path = conversations + "/" + x.Object.ID.String() + "/bash/start_bash_command"
	reply, err := x.Fetch(x.Request.Context(), out)
	if err == nil && reply.Status >= 300 {
		err = d.refusal(reply)
	}
	if err != nil {
		return err
	}
	d.touch(x.Request.Context(), x.Object.ID)
	var command info
	if err := decode(reply.Body, &command); err != nil {
		return err
	}
	id, _ := command["id"].(string)
	command["id"] = id + commandMark + x.Object.ID.String()
	return x.JSON(reply.Status, command)
}

var errFlatLog = problem.New(http.StatusForbidden, "This operation is not available on this server.")

// flatLog answers what came of one command that flatStart started: from the log of its conversation. The flat log itself is one for
// all teams.
func (d *Dialect) flatLog(x *proxy.Exchange) error {
	if !d.config.Bash {
		return errNoBash
	}
	query := maps.Clone(x.Query())
	asked := query["command_id__eq"]
	if len(asked) != 1 || !strings.Contains(asked[0], commandMark) {
		return errFlatLog
	}
	command, conversation, _ := strings.Cut(asked[0], commandMark)
	id, ok := proxy.ConversationID(conversation)
	if !ok || uuid.Validate(command) != nil {
		return access.ErrHidden
	}
	object, err := d.config.Conversations.Find(x.Request.Context(), id)
	if err == nil {
		err = x.Principal().On(object, readTalk)
	}
	if err != nil {
		return err
	}
	x.Object = object
	query["command_id__eq"] = []string{command}
	return x.Forward(proxy.Outgoing{Path: conversations + "/" + id.String() + "/bash/bash_events/search", Query: forwarded(query)})
}

// forwarded is a query without what is ours.
func forwarded(query url.Values) url.Values {
	query.Del("session_api_key")
	query.Del("cid")
	return query
}
