package agentserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// The bounds of a batch: of how many commands, of how many events (each is looked up first), and how long their ids may be.
const (
	maxCommandIDs = 1000
	maxEventIDs   = 100
	maxEventBody  = 256 << 10
)

// touchTimeout bounds the bump of a conversation where no request waits for it.
const touchTimeout = 5 * time.Second

// idList reads ids that come as a JSON list in the body of a GET.
func idList(x *proxy.Exchange, most int) ([]string, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(x.Writer, x.Request.Body, maxEventBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, problem.New(http.StatusRequestEntityTooLarge, "The list of event ids is too long. Ask for fewer at once.")
	}
	if err != nil {
		return nil, problem.New(http.StatusBadRequest, "The body could not be read. Send it again.").Because(err)
	}
	var ids []string
	if json.Unmarshal(raw, &ids) != nil || ids == nil || len(ids) > most {
		return nil, problem.Fields(problem.Field{
			Type: "list_type", Loc: []any{"body"}, Msg: fmt.Sprintf("Input should be a JSON list of at most %d event ids, sent as the body", most),
		})
	}
	return ids, nil
}

// postEvent says something to the agent.
func (d *Dialect) postEvent(x *proxy.Exchange) error {
	body, s, err := sanitized(x, messageRules())
	if err != nil {
		return err
	}
	if err := d.checkImages(x.Request.Context(), s.remote); err != nil {
		return err
	}
	return x.Forward(d.touching(x, outgoing(body)))
}

// socket joins the client to the conversation's live events, states among them narrowed. What the client says there brings it
// to the top of its lists; who may only listen is told so. The tunnel outlives the request, so nothing of the request is kept.
func (d *Dialect) socket(x *proxy.Exchange) error {
	id := x.Object.ID
	refused := readOnlyEvent
	if strings.HasPrefix(x.Operation.Path, "/sockets/session/") {
		refused = readOnlyEnvelope
	}
	return refusedQuery(x, x.Tunnel(proxy.Outgoing{Frame: d.states(x.Principal()), Refused: refused, Sent: func() {
		ctx, cancel := context.WithTimeout(context.Background(), touchTimeout)
		defer cancel()
		d.touch(ctx, id)
	}}))
}

// errQuery ends a WebSocket whose query the upstream refuses: a client that tried again would be refused for ever.
var errQuery = problem.New(http.StatusUnprocessableEntity, "The query was refused: look at resend_mode, after_timestamp or after_seq.")

// refusedQuery tells a refusal of the query from a failure. The upstream answers 403 to a handshake whose query it cannot read,
// and to no other: our key it refuses by a close code.
func refusedQuery(x *proxy.Exchange, err error) error {
	failure, answered := errors.AsType[*proxy.UpstreamError](err)
	if !answered || failure.Status != http.StatusForbidden {
		return err
	}
	for _, name := range []string{"resend_mode", "resend_all", "after_timestamp", "after_seq"} {
		if x.Query().Has(name) {
			return errQuery.Because(err)
		}
	}
	return err
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
