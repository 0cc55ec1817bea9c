package settings

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// body takes a body of one of the upstream's models, with its defaults left out.
func (s *Surface) body(x *proxy.Exchange, model string) (map[string]any, error) {
	raw, err := x.ReadJSON()
	if err != nil {
		return nil, err
	}
	clean, faults, err := s.Book.Validate(x.Request.Context(), model, raw, "body")
	if err != nil {
		return nil, err
	}
	if len(faults) > 0 {
		return nil, problem.Fields(faults...)
	}
	body, _ := clean.(map[string]any)
	return body, nil
}

// limited words the refusal of one document too many as the upstream does; text has one %d.
func limited(err error, text string) error {
	if limit, is := errors.AsType[*vault.LimitError](err); is {
		return problem.New(http.StatusConflict, fmt.Sprintf(text, limit.Max)).Because(err)
	}
	return err
}
