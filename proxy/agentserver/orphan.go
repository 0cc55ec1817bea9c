package agentserver

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/proxy"
)

// orphanBatch bounds how many conversations one run ends.
const orphanBatch = 50

// EndOrphans deletes at the upstream conversations that ended here with their team or their starter, so that their agents stop.
// It returns how many are gone there. What the upstream refuses is tried again. Call it every few seconds.
func (d *Dialect) EndOrphans(ctx context.Context) (ended int, err error) {
	list, err := d.config.Conversations.Orphans(ctx, orphanBatch)
	if err != nil {
		return 0, err
	}
	for _, id := range list {
		failed := d.endOrphan(ctx, id)
		if err := d.config.Conversations.Told(ctx, id, failed != nil); err != nil {
			return ended, err
		}
		if failed != nil { // the next run goes on with the others
			return ended, fmt.Errorf("delete conversation %s at the upstream: %w", id, failed)
		}
		ended++
	}
	return ended, nil
}

func (d *Dialect) endOrphan(ctx context.Context, id uuid.UUID) error {
	reply, err := d.call(ctx, proxy.Outgoing{Method: http.MethodDelete, Path: conversations + "/" + id.String()})
	if err != nil {
		return err
	}
	if reply.Status < 300 || reply.Status == http.StatusBadRequest || reply.Status == http.StatusNotFound {
		return nil
	}
	return d.refusal(reply)
}
