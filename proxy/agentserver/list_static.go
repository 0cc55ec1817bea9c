package agentserver

import (
	"net/http"
	"slices"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// The answers that are the same for everybody.

func (d *Dialect) nothing(x *proxy.Exchange) error { return x.NoContent(http.StatusNoContent) }

func (d *Dialect) missing(*proxy.Exchange) error { return access.ErrHidden }

func (d *Dialect) noSkills(x *proxy.Exchange) error {
	return x.JSON(http.StatusOK, map[string]any{"skills": []any{}})
}

func (d *Dialect) noPlugins(x *proxy.Exchange) error {
	return x.JSON(http.StatusOK, map[string]any{"plugins": []any{}})
}

func (d *Dialect) noEditor(x *proxy.Exchange) error {
	return x.JSON(http.StatusOK, map[string]any{"running": false, "enabled": false, "message": "There is no editor here."})
}

func (d *Dialect) noSubscription(x *proxy.Exchange) error {
	return x.JSON(http.StatusOK, map[string]any{
		"vendor": "openai", "connected": false, "account_email": nil, "expires_at": nil,
	})
}

// tools lists what a conversation may have. The upstream's list also has what nobody gets, and what clients of any team brought.
func (d *Dialect) tools(x *proxy.Exchange) error {
	reply, err := x.Fetch(x.Request.Context(), proxy.Outgoing{})
	if err != nil {
		return err
	}
	if reply.Status != http.StatusOK {
		return d.refusal(reply)
	}
	var names []string
	if err := decode(reply.Body, &names); err != nil {
		return err
	}
	return x.JSON(http.StatusOK, builtin(names, d.apart(x.Request.Context())))
}

// serverInfo says which version answers and what it can do here.
func (d *Dialect) serverInfo(x *proxy.Exchange) error {
	reply, err := x.Fetch(x.Request.Context(), proxy.Outgoing{})
	if err != nil {
		return err
	}
	if reply.Status != http.StatusOK {
		return d.refusal(reply)
	}
	var said map[string]any
	if err := decode(reply.Body, &said); err != nil {
		return err
	}
	return x.JSON(http.StatusOK, trimServerInfo(said, d.apart(x.Request.Context())))
}

// trimServerInfo keeps what clients decide by. Uptime and idle time are demanded by the schema and tell how busy others are.
func trimServerInfo(said map[string]any, contained bool) map[string]any {
	kept := map[string]any{"uptime": 0, "idle_time": 0}
	for _, name := range []string{
		"title", "version", "sdk_version", "tools_version", "workspace_version", "conversation_runtime",
		"runtime_idle_timeout_seconds", "max_foreground_terminal_timeout_seconds",
	} {
		if v, present := said[name]; present {
			kept[name] = v
		}
	}
	kept["usable_tools"] = builtin(words(said["usable_tools"]), contained)
	kept["capabilities"] = slices.DeleteFunc(words(said["capabilities"]), func(name string) bool {
		return name != "conversation_runtime_routes_v1"
	})
	return kept
}

func builtin(names []string, contained bool) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !slices.Contains(toolsFor(contained), name) })
}

// words are the strings of a decoded list.
func words(v any) []string {
	all := []string{}
	items, _ := v.([]any)
	for _, item := range items {
		if s, ok := item.(string); ok {
			all = append(all, s)
		}
	}
	return all
}
