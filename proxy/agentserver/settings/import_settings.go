package settings

import (
	"encoding/json"
	"maps"
	"reflect"
	"regexp"
	"slices"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/files"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// connectionID is how the upstream names connections.
var connectionID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// brought is what a settings file says, as patches of ours.
type brought struct {
	item         files.Item
	parts        map[string]map[string]any
	profile      any // the active one's name, or nil
	agentProfile any // the active one's id in the file, or nil
}

// settings takes of a settings file what is not the schema's default: the file holds everything, and would otherwise hide all
// layers below, and all defaults of newer versions, for ever.
func (i *importer) settings(item files.Item) (func(*vault.Changes) error, error) {
	b := &brought{item: item, parts: map[string]map[string]any{}, profile: item.Body[activeProfile], agentProfile: item.Body[activeAgentProfile]}
	if err := i.bringAgent(b); err != nil {
		return nil, err
	}
	conversation, err := i.Book.ConversationDefaults(i.ctx)
	if err != nil {
		return nil, err
	}
	sent, err := i.knownTalk(i.ctx, object(item.Body, conversationSettings))
	if err != nil {
		return nil, err
	}
	b.parts[conversationSettings] = beside(sent, conversation)
	b.parts[miscSettings] = i.preferences(item)
	if err := i.pointed(b); err != nil {
		return nil, err
	}
	i.activeModel(b)
	return func(c *vault.Changes) error { return i.keepSettings(c, b) }, nil
}

func (i *importer) bringAgent(b *brought) error {
	agent, err := i.known(i.ctx, object(b.item.Body, agentSettings))
	if err != nil {
		return err
	}
	delete(agent, "schema_version")
	loc := []any{agentSettings}
	if kind := agent["agent_kind"]; kind != nil && kind != "openhands" {
		return problem.Fields(fault("value_error", at(loc, "agent_kind"), "Only agents of kind openhands are available here."))
	}
	context := maps.Clone(object(agent, "agent_context"))
	delete(context, "current_datetime") // of the day when the file was made
	agent["agent_context"] = context
	defaults, err := i.Book.AgentDefaults(i.ctx)
	if err != nil {
		return err
	}
	model := object(agent, "llm")["model"]
	agent = beside(agent, defaults)
	if llm, some := agent["llm"].(map[string]any); some && model != nil {
		llm["model"] = model // a key means little without it
	}
	b.parts[agentSettings] = agent
	if err := i.judgeEach(at(loc, "mcp_config"), object(agent, "mcp_config")); err != nil {
		return err
	}
	return i.judgeSent(i.ctx, loc, agent)
}

// judgeEach judges MCP servers one by one, so that all that is wrong is named at once.
func (i *importer) judgeEach(loc []any, servers map[string]any) error {
	var faults []problem.Field
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		server := objectOf(servers[name])
		if why := misfit(server, object(server, "headers")); why != "" {
			faults = append(faults, fault("value_error", at(loc, name), "%s", why))
			continue
		}
		err := i.judgeServers(i.ctx, loc, map[string]any{name: server})
		if err == nil {
			continue
		}
		more, are := problem.Of(err).Detail.([]problem.Field)
		if !are {
			return err
		}
		faults = append(faults, more...)
	}
	if len(faults) > 0 {
		return problem.Fields(faults...)
	}
	return nil
}

func objectOf(v any) map[string]any { found, _ := v.(map[string]any); return found }

// beside leaves out what says no more than the defaults, nulls among it. A patch cannot hold a null, and needs none where nothing is
// kept yet.
func beside(in, defaults map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range in {
		below, isObject := v.(map[string]any)
		base, hasBase := defaults[name].(map[string]any)
		switch {
		case v == nil, same(v, defaults[name]):
		case isObject && hasBase:
			if rest := beside(below, base); len(rest) > 0 {
				out[name] = rest
			}
		case isObject && len(below) == 0 && defaults[name] == nil:
		default:
			out[name] = v
		}
	}
	return out
}

// same compares values of JSON; numbers by their value.
func same(a, b any) bool {
	x, isNumber := a.(json.Number)
	y, isToo := b.(json.Number)
	if isNumber && isToo {
		f, errF := x.Float64()
		g, errG := y.Float64()
		return errF == nil && errG == nil && f == g
	}
	return reflect.DeepEqual(a, b)
}

// preferences are the UI's. Whether one is tracked is for each person to say.
func (i *importer) preferences(item files.Item) map[string]any {
	misc, _ := cloned(object(item.Body, miscSettings)).(map[string]any)
	preferences := object(misc, "app_preferences")
	if !i.ofTeam() {
		return misc
	}
	const why = "consent is for each person to give"
	if _, set := misc["telemetry"]; set {
		delete(misc, "telemetry")
		i.outcome(Skipped, item.Place.At(miscSettings, "telemetry"), why)
	}
	if v, set := preferences["user_consents_to_analytics"]; set {
		delete(preferences, "user_consents_to_analytics")
		if v == true {
			i.outcome(Skipped, item.Place.At(miscSettings, "app_preferences", "user_consents_to_analytics"), why)
		}
	}
	return misc
}

// pointed judges the names of what is active, which a patch would refuse.
func (i *importer) pointed(b *brought) error {
	for name, pattern := range pointers() {
		text, isText := b.item.Body[name].(string)
		if v := b.item.Body[name]; v != nil && (!isText || !pattern.MatchString(text)) {
			return problem.Fields(fault("string_pattern_mismatch", []any{name}, "String should match pattern '%s'", pattern))
		}
	}
	return nil
}

// activeModel leaves the model to the active profile where both say the same, as after its activation. Else the settings' model
// counts, as it does for the upstream, and no profile is the active one.
func (i *importer) activeModel(b *brought) {
	name, named := b.profile.(string)
	if !named {
		return
	}
	n := slices.IndexFunc(i.found.Items, func(item files.Item) bool { return item.Kind == files.Profile && item.Name == name })
	if n < 0 {
		b.profile = nil
		i.outcome(Skipped, b.item.Place.At(activeProfile), "there is no profile of this name in the folder; its model is taken from the settings")
		return
	}
	profile, err := i.model(i.resolved(i.found.Items[n].Body))
	llm, errToo := i.model(object(b.item.Body[agentSettings].(map[string]any), "llm"))
	for _, m := range []map[string]any{profile, llm} {
		delete(m, "usage_id")
	}
	if err != nil || errToo != nil || !reflect.DeepEqual(profile, llm) {
		b.profile = nil
		i.outcome(Skipped, b.item.Place.At(activeProfile), "the settings' model has changed since this profile was activated, and is the one that counts")
		return
	}
	delete(b.parts[agentSettings], "llm")
}

// resolved is a profile with the key and the address of the connection that it names.
func (i *importer) resolved(profile map[string]any) map[string]any {
	out := maps.Clone(profile)
	for _, item := range i.found.Items {
		if item.Kind == files.Connection && item.Name == profile["provider_connection_id"] {
			out["api_key"], out["base_url"] = item.Body["api_key"], item.Body["base_url"]
		}
	}
	return out
}
