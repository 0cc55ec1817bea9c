package agentserver

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

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

// batchEvents forwards the ids, which come as a JSON list in the body of a GET.
func (d *Dialect) batchEvents(x *proxy.Exchange) error {
	raw, err := io.ReadAll(http.MaxBytesReader(x.Writer, x.Request.Body, maxEventBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return problem.New(http.StatusRequestEntityTooLarge, "The list of event ids is too long. Ask for fewer at once.")
	}
	if err != nil {
		return problem.New(http.StatusBadRequest, "The body could not be read. Send it again.").Because(err)
	}
	var ids []string
	if json.Unmarshal(raw, &ids) != nil || ids == nil || len(ids) > maxEventIDs {
		return problem.Fields(problem.Field{
			Type: "list_type", Loc: []any{"body"}, Msg: "Input should be a JSON list of at most 1000 event ids, sent as the body",
		})
	}
	return x.Forward(outgoing(ids))
}

// postEvent says something to the agent.
func (d *Dialect) postEvent(x *proxy.Exchange) error {
	return d.sanitizedCommand(x, rules{"role": word("user"), "content": list(1000, content), "run": flag})
}

// socket joins the client to the conversation's live events. What the client says there brings it to the top of its lists.
// The tunnel outlives the request, so nothing of the request is kept.
func (d *Dialect) socket(x *proxy.Exchange) error {
	id := x.Object.ID
	return x.Tunnel(proxy.Outgoing{Sent: func() {
		ctx, cancel := context.WithTimeout(context.Background(), touchTimeout)
		defer cancel()
		d.touch(ctx, id)
	}})
}
