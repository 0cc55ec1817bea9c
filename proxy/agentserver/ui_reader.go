package agentserver

import (
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/proxy"
)

// readOnlyHeader lists, on answers with conversations, those that the caller may read but not write to. Our script in the Canvas
// page takes the box to write in away from them; to other clients it is news they need not read.
const readOnlyHeader = "X-OpenHands-Read-Only"

func (d *Dialect) tellReader(x *proxy.Exchange, ids map[uuid.UUID]bool) {
	var readOnly []string
	for id := range ids {
		object, err := d.config.Conversations.Find(x.Request.Context(), id)
		if err == nil && x.Principal().On(object, writeTalk) != nil {
			readOnly = append(readOnly, id.String())
		}
	}
	if len(readOnly) > 0 {
		x.Writer.Header().Set(readOnlyHeader, strings.Join(readOnly, ","))
	}
}
