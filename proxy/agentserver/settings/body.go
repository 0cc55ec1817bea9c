package settings

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

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
	return s.judged(x, model, raw)
}

// both says what is wrong with the name in the path and with the body at once.
func both(name, body error) error {
	faults, more := faultsOf(name), faultsOf(body)
	if len(faults) > 0 && len(more) > 0 && more[0].Type != "json_invalid" {
		return problem.Fields(append(faults, more...)...)
	}
	return cmp.Or(body, name)
}

func faultsOf(err error) []problem.Field {
	if p, is := errors.AsType[*problem.Error](err); is {
		faults, _ := p.Detail.([]problem.Field)
		return faults
	}
	return nil
}

// judged takes a value of one of the upstream's models.
func (s *Surface) judged(x *proxy.Exchange, model string, raw map[string]any) (map[string]any, error) {
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

// anyObject reads a body that may be any object, which is not called a model where it is none.
func anyObject(x *proxy.Exchange) (map[string]any, error) {
	body, err := x.ReadJSON()
	if p, is := errors.AsType[*problem.Error](err); is {
		if faults, listed := p.Detail.([]problem.Field); listed && len(faults) == 1 && faults[0].Type == "model_attributes_type" {
			return nil, problem.Fields(fault("dict_type", faults[0].Loc, "Input should be a valid dictionary"))
		}
	}
	return body, err
}

// limited words the refusal of one document too many as the upstream does; text has one %d.
func limited(err error, text string) error {
	if limit, is := errors.AsType[*vault.LimitError](err); is {
		return problem.New(http.StatusConflict, fmt.Sprintf(text, limit.Max)).Because(err)
	}
	return err
}

// decoded reads JSON; numbers stay as they are written.
func decoded[T any](text string) (v T, err error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	err = decoder.Decode(&v)
	return v, err
}
