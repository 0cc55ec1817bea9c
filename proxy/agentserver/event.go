package agentserver

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// maxEventIDs and their length bound a batch of events.
const (
	maxEventIDs  = 1000
	maxEventBody = 256 << 10
)

// touchTimeout bounds the bump of a conversation where no request waits for it.
const touchTimeout = 5 * time.Second

// batchEvents forwards the ids of events.
func (d *Dialect) batchEvents(x *proxy.Exchange) error {
	ids, err := idList(x)
	if err != nil {
		return err
	}
	return x.Forward(d.narrowing(x, outgoing(ids)))
}

// idList reads ids that come as a JSON list in the body of a GET.
func idList(x *proxy.Exchange) ([]string, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(x.Writer, x.Request.Body, maxEventBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, problem.New(http.StatusRequestEntityTooLarge, "The list of event ids is too long. Ask for fewer at once.")
	}
	if err != nil {
		return nil, problem.New(http.StatusBadRequest, "The body could not be read. Send it again.").Because(err)
	}
	var ids []string
	if json.Unmarshal(raw, &ids) != nil || ids == nil || len(ids) > maxEventIDs {
		return nil, problem.Fields(problem.Field{
			Type: "list_type", Loc: []any{"body"}, Msg: "Input should be a JSON list of at most 1000 event ids, sent as the body",
		})
	}
	return ids, nil
}

// postEvent says something to the agent.
func (d *Dialect) postEvent(x *proxy.Exchange) error {
	return d.sanitizedCommand(x, rules{"role": word("user"), "content": list(1000, content), "run": flag})
}

// socket joins the client to the conversation's live events, states among them narrowed. What the client says there brings it
// to the top of its lists; who may only listen is told so. The tunnel outlives the request, so nothing of the request is kept.
func (d *Dialect) socket(x *proxy.Exchange) error {
	id := x.Object.ID
	refused := readOnlyEvent
	if strings.HasPrefix(x.Operation.Path, "/sockets/session/") {
		refused = readOnlyEnvelope
	}
	return x.Tunnel(proxy.Outgoing{Frame: d.states(x.Principal()), Refused: refused, Sent: func() {
		ctx, cancel := context.WithTimeout(context.Background(), touchTimeout)
		defer cancel()
		d.touch(ctx, id)
	}})
}

const (
	readOnlyCode = "Forbidden"
	readOnlyText = "Your role in this team may read this conversation, but not write to it: the message was not sent."
)

// readOnlyEvent is the answer to a message that did not go on, as the upstream's own errors look on /sockets/events.
func readOnlyEvent() []byte {
	return plainJSON(map[string]any{
		"id": uuid.NewString(), "timestamp": time.Now().UTC().Format("2006-01-02T15:04:05.000000"), "source": "environment",
		"code": readOnlyCode, "detail": readOnlyText, "kind": "ServerErrorEvent",
	})
}

// readOnlyEnvelope is the same for /sockets/session.
func readOnlyEnvelope() []byte {
	return plainJSON(map[string]any{"type": "error", "code": readOnlyCode, "detail": readOnlyText})
}
