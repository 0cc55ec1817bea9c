package agentserver

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
)

// vaulted makes a handler of one that answers from the vault.
func vaulted(handle func(*settings.Surface, *proxy.Exchange) error) handler {
	return func(d *Dialect, x *proxy.Exchange) error { return handle(d.settings, x) }
}

// document reads one of the upstream's descriptions of itself.
func (d *Dialect) document(ctx context.Context, path string) ([]byte, error) {
	reply, err := d.call(ctx, proxy.Outgoing{Method: http.MethodGet, Path: path})
	if err != nil {
		return nil, err
	}
	if reply.Status != http.StatusOK || !json.Valid(reply.Body) {
		cause := fmt.Errorf("the upstream answered %d and %d bytes that are no JSON or not what was asked for at %s", reply.Status, len(reply.Body), path)
		return nil, problem.New(http.StatusBadGateway, "The backend did not give its settings. Try again, or tell the operator.").Because(cause)
	}
	return reply.Body, nil
}
