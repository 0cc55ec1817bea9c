package settings

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/files"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// valid takes a value as one of the upstream's models has it.
func (i *importer) valid(model string, v any) (map[string]any, error) {
	clean, faults, err := i.Book.Validate(i.ctx, model, v)
	if err == nil && len(faults) > 0 {
		err = problem.Fields(faults...)
	}
	body, _ := clean.(map[string]any)
	return body, err
}

func (i *importer) secret(item files.Item) (func(*vault.Changes) error, error) {
	value, _ := item.Body["secret"].(string)
	body, err := i.valid("SecretCreateRequest", map[string]any{"name": item.Name, "value": value, "description": item.Body["description"]})
	switch {
	case err != nil:
		return nil, err
	case !secretName.MatchString(item.Name):
		return nil, errSecretName
	case isToken(value) || isForeign(value):
		return nil, problem.Fields(fault("value_error", []any{"secret"}, "%s", tokenElsewhere))
	}
	return i.document(item, vault.KindSecret, item.Name, func(d *vault.Draft) error {
		d.Body = map[string]any{"description": body["description"]}
		d.Set(secretField, value)
		return nil
	}), nil
}

func (i *importer) connection(item files.Item) (func(*vault.Changes) error, error) {
	sent := map[string]any{}
	for _, name := range []string{"display_name", "provider", "base_url", "api_key"} {
		if v := item.Body[name]; v != nil {
			sent[name] = v
		}
	}
	key, hasKey := sent["api_key"]
	if !hasKey {
		sent["api_key"] = mask // the upstream makes none without a key, and keeps those that lost theirs
	}
	body, err := i.valid("ProviderConnectionCreateRequest", sent)
	if err == nil {
		err = i.judgeAddresses(i.ctx, nil, body)
	}
	if err == nil && !connectionID.MatchString(item.Name) {
		err = problem.Fields(fault("value_error", []any{"id"}, "This is no id of a connection"))
	}
	if err != nil {
		return nil, err
	}
	body["api_key"] = key
	return i.document(item, vault.KindConnection, item.Name, func(d *vault.Draft) error {
		rest, err := i.splitter(d, vault.KindConnection, placesOf(connectionKey)).split(body)
		if err != nil {
			return err
		}
		rest["updated_at"] = json.Number(strconv.FormatInt(time.Now().Unix(), 10))
		d.Body = vault.Merge(map[string]any{}, rest)
		return nil
	}), nil
}

func (i *importer) splitter(d *vault.Draft, kind vault.Kind, sealed places) *splitter {
	return &splitter{places: sealed, who: i.who, draft: d, kind: kind, loc: []any{}}
}

func (i *importer) profile(item files.Item) (func(*vault.Changes) error, error) {
	if !profileName.MatchString(item.Name) {
		return nil, problem.Newf(422, "The name of a profile must match %s", profileName)
	}
	llm, err := i.model(item.Body)
	if err != nil {
		return nil, err
	}
	if trimmed(llm, "model") == "" {
		return nil, problem.Fields(fault("missing", []any{"model"}, "A profile names a model"))
	}
	linked := trimmed(llm, "provider_connection_id") != ""
	if linked { // its key and address are the connection's
		delete(llm, "api_key")
		delete(llm, "base_url")
	}
	if err := i.judgeModel(i.ctx, nil, llm); err != nil {
		return nil, err
	}
	return i.document(item, vault.KindProfile, item.Name, func(d *vault.Draft) error {
		rest, err := i.splitter(d, vault.KindProfile, llmSecretPlaces()).split(llm)
		if err != nil {
			return err
		}
		d.Body = vault.Merge(map[string]any{}, rest)
		return nil
	}), nil
}

// model is a model without what the schema says by itself, so that a newer version's defaults count; its name stays.
func (i *importer) model(body map[string]any) (map[string]any, error) {
	known, err := i.Book.Known(i.ctx, "LLM", body)
	if err != nil {
		return nil, err
	}
	defaults, err := i.Book.AgentDefaults(i.ctx)
	if err != nil {
		return nil, err
	}
	members, _ := known.(map[string]any)
	llm := beside(members, object(defaults, "llm"))
	if name := members["model"]; name != nil {
		llm["model"] = name
	}
	return i.valid("LLM", llm)
}

func (i *importer) agentProfile(item files.Item) (func(*vault.Changes) error, error) {
	if item.Body["agent_kind"] == "acp" {
		i.outcome(Skipped, item.Place, "only agents of kind openhands are available here")
		return nil, nil
	}
	if !profileName.MatchString(item.Name) {
		return nil, problem.Newf(422, "The name of a profile must match %s", profileName)
	}
	profile, err := wholeProfile(item.Name, item.Body)
	if err != nil {
		return nil, err
	}
	old, _ := profile["id"].(string)
	keep := i.document(item, vault.KindAgentProfile, item.Name, func(d *vault.Draft) error {
		profile["id"] = uuid.NewString() // the folder may be imported into several teams
		if !d.Created {
			profile["id"], profile["revision"] = d.Body["id"], oneMore(d.Body["revision"])
		}
		d.Body = profile
		return nil
	})
	return func(c *vault.Changes) error {
		if err := keep(c); err != nil {
			return err
		}
		kept, err := i.present(c, vault.KindAgentProfile, item.Name)
		if err == nil {
			i.agents[old], _ = kept.Body["id"].(string)
		}
		return err
	}, nil
}

// workspaces keeps the folders that lie in the team's: others are paths of another machine's, or of nobody's here.
func (i *importer) workspaces(item files.Item) (func(*vault.Changes) error, error) {
	added := map[string][]any{}
	for _, f := range []folders{workspaces(), parents()} {
		body, err := i.valid(f.model, map[string]any{f.sent: orList(item.Body[f.member])})
		if err != nil {
			return nil, err
		}
		for n, entry := range f.sentIn(body) {
			members, _ := entry.(map[string]any)
			members["path"] = folder(pathOf(entry))
			parent, hasParent := members["parentPath"].(string)
			if why := i.outside(i.Scope.Team, pathOf(entry)); why != "" {
				i.outcome(Skipped, item.Place.At(f.member, strconv.Itoa(n)), "%s", why)
				continue
			}
			if !hasParent || i.outside(i.Scope.Team, parent) != "" {
				delete(members, "parentPath")
			}
			added[f.member] = append(added[f.member], entry)
		}
	}
	if len(added) == 0 {
		return nil, nil
	}
	return func(c *vault.Changes) error { return i.addFolders(c, item, added) }, nil
}

func orList(v any) any {
	if v == nil {
		return []any{}
	}
	return v
}

// addFolders adds those that are not listed.
func (i *importer) addFolders(c *vault.Changes, item files.Item, added map[string][]any) error {
	changed := false
	_, err := c.Update(vault.KindWorkspaces, "", func(d *vault.Draft) error {
		for _, f := range []folders{workspaces(), parents()} {
			list := f.listed(d.Body)
			for _, entry := range added[f.member] {
				at := item.Place.At(f.member, pathOf(entry))
				if indexOf(list, pathOf(entry)) >= 0 {
					i.outcome(Present, at, "")
					continue
				}
				i.outcome(Taken, at, "")
				list, changed = append(slices.Clip(list), entry), true
			}
			if len(list) > mostFolders {
				return problem.Newf(409, "There may be %d folders at most.", mostFolders)
			}
			if len(list) > 0 {
				d.Body[f.member] = list
			}
		}
		if !changed {
			return errUnchanged
		}
		return nil
	})
	return unlessUnchanged(err)
}
