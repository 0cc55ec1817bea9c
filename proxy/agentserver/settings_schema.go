package agentserver

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// document reads one of the upstream's descriptions of itself, for the book of its schemas.
func (d *Dialect) document(ctx context.Context, path string) ([]byte, error) {
	reply, err := d.call(ctx, proxy.Outgoing{Method: http.MethodGet, Path: path})
	if err != nil {
		return nil, err
	}
	if reply.Status != http.StatusOK || !json.Valid(reply.Body) {
		cause := fmt.Errorf("the upstream answered %d and %d bytes for %s", reply.Status, len(reply.Body), path)
		return nil, problem.New(http.StatusBadGateway, "The backend did not give its settings. Try again, or tell the operator.").Because(cause)
	}
	return reply.Body, nil
}
