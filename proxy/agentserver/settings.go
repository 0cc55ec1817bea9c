package agentserver

import (
	"net/http"
	"strings"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// What stands where a key would stand.
const (
	hiddenKey      = "**********"           // a key is set; nobody asked for it
	operatorMarker = "operator-managed-key" // asked for: gives the operator's key at creation, and is worth nothing elsewhere
	storedMarker   = "stored-key"           // the same for a key in the anonymous tenant's own files
)

// revealed reads X-Expose-Secrets as the upstream does. All its modes mean the same to us: a marker instead of the mask.
func revealed(h http.Header) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(h.Get("X-Expose-Secrets"))) {
	case "":
		return false, nil
	case "encrypted", "plaintext", "true":
		return true, nil
	default:
		return false, problem.New(http.StatusBadRequest,
			"Invalid X-Expose-Secrets header value. Valid values are: 'encrypted', 'plaintext'.")
	}
}

// member finds an object by its name; it is nil when it is absent or null.
func member(in map[string]any, loc []any, name string) (map[string]any, error) {
	v := in[name]
	if v == nil {
		return nil, nil
	}
	found, isObject := v.(map[string]any)
	if !isObject {
		return nil, problem.Fields(problem.Field{Type: "dict_type", Loc: at(loc, name), Msg: "Input should be a valid dictionary", Input: v})
	}
	return found, nil
}
