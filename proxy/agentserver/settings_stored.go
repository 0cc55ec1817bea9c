package agentserver

import (
	"context"
	"net/http"
	"strings"

	"github.com/openhands-saas/openhands-saas/proxy"
)

// storedModels reads the models in the anonymous tenant's own files, with their keys: the settings' first, then the profiles'.
// The keys stay between the upstream and us.
func (d *Dialect) storedModels(x *proxy.Exchange) ([]lent, error) {
	ctx := x.Request.Context()
	settings, err := reveal(ctx, x, "/api/settings")
	if err != nil {
		return nil, err
	}
	agent, _ := settings["agent_settings"].(map[string]any)
	found := lentBy([]lent{}, agent["llm"])
	list, err := reveal(ctx, x, profilesPath)
	if err != nil {
		return nil, err
	}
	profiles, _ := list["profiles"].([]any)
	for _, p := range profiles {
		summary, _ := p.(map[string]any)
		profile, err := reveal(ctx, x, profilesPath+"/"+trimmed(summary, "name"))
		if err != nil {
			return nil, err
		}
		found = lentBy(found, profile["config"])
	}
	return found, nil
}

// lentBy adds a stored LLM object that can be used: one with a key, or with an address that needs none. A key that is a mask or
// a marker is none: the upstream's file holds one that may not be shown, or what we showed in a key's place. A model that could
// not be stored through us, because of where it leads, is not lent either.
func lentBy(found []lent, v any) []lent {
	llm, _ := v.(map[string]any)
	l := lent{model: trimmed(llm, "model"), baseURL: trimmed(llm, "base_url"), key: trimmed(llm, "api_key")}
	if l.model == "" || l.key == "" && l.baseURL == "" || l.key != "" && notAKey(l.key) || checkPlace(nil, llm) != nil {
		return found
	}
	l.key = orUnused(l.key)
	return append(found, l)
}

func notAKey(key string) bool { return marker(key) || strings.Trim(key, "*") == "" }

// reveal asks the upstream for a document with the keys in it.
func reveal(ctx context.Context, x *proxy.Exchange, path string) (map[string]any, error) {
	reply, err := x.Fetch(ctx, proxy.Outgoing{
		Method: http.MethodGet, Path: path, Query: map[string][]string{},
		Header: http.Header{"X-Expose-Secrets": {"plaintext"}},
	})
	if err != nil {
		return nil, err
	}
	var document map[string]any
	return document, decode(reply.Body, &document)
}
