package agentserver

import (
	"context"
	"net/http"

	"github.com/openhands-saas/openhands-saas/proxy"
)

// storedModels reads the models in the anonymous tenant's own files, with their keys: the settings' first, then the profiles'.
// The keys stay between the upstream and us.
func (d *Dialect) storedModels(ctx context.Context, x *proxy.Exchange) ([]lent, error) {
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

// lentBy adds a stored LLM object that can be used: one with a key, or with an address that needs none.
func lentBy(found []lent, v any) []lent {
	llm, _ := v.(map[string]any)
	l := lent{model: trimmed(llm, "model"), baseURL: trimmed(llm, "base_url"), key: trimmed(llm, "api_key")}
	if l.model == "" || l.key == "" && l.baseURL == "" {
		return found
	}
	l.key = orUnused(l.key)
	return append(found, l)
}

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
