package settings

import (
	"errors"
	"maps"
	"slices"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/schema"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// modelUnit is the unit that an active profile speaks of, too.
const modelUnit = "/" + agentSettings + "/llm"

// errUnchanged ends a change that would change nothing.
var errUnchanged = errors.New("there is nothing to change")

// units are the parts of settings of which each is kept or left as a whole: members, and single MCP servers.
func units(part string, patch map[string]any) [][]string {
	var found [][]string
	for _, name := range slices.Sorted(maps.Keys(patch)) {
		if part != agentSettings || name != "mcp_config" {
			found = append(found, []string{part, name})
			continue
		}
		for _, server := range slices.Sorted(maps.Keys(object(patch, name))) {
			found = append(found, []string{part, name, server})
		}
	}
	return found
}

func pointerTo(path []string) string {
	pointer := ""
	for _, step := range path {
		pointer = join(pointer, step)
	}
	return pointer
}

// holdsUnit says whether a document says something of a unit: of the model by a profile, too.
func holdsUnit(d *vault.Draft, path []string) bool {
	pointer := pointerTo(path)
	if pointer == modelUnit && d.Body[activeProfile] != nil {
		return true
	}
	return valueAt(d.Body, pointer) != nil || slices.ContainsFunc(d.Fields(), func(field string) bool { return within(pointer, field) })
}

// keepSettings changes the settings unit by unit.
func (i *importer) keepSettings(c *vault.Changes, b *brought) error {
	docs, err := c.Layers(vault.KindSettings, vault.KindProfile, vault.KindConnection)
	if err != nil {
		return err
	}
	h := holdings{who: i.who, docs: docs}
	if len(b.parts[agentSettings])+len(b.parts[conversationSettings])+len(b.parts[miscSettings]) == 0 && b.profile == nil && b.agentProfile == nil {
		i.outcome(Skipped, b.item.Place, "it says nothing but the defaults")
		return nil
	}
	_, err = c.Update(vault.KindSettings, "", func(d *vault.Draft) error {
		changed := i.choose(d, b)
		if !i.point(d, b) && !changed {
			return errUnchanged
		}
		split := i.splitter(d, vault.KindSettings, secretPlaces())
		split.root, split.loc = "/"+agentSettings, []any{agentSettings}
		rest, err := split.split(b.parts[agentSettings])
		if err != nil {
			return err
		}
		b.parts[agentSettings] = rest
		for part, patch := range b.parts {
			switch {
			case len(patch) == 0:
			case part == miscSettings:
				d.Body[part] = mergedFree(object(d.Body, part), patch)
			default:
				d.Body[part] = vault.Merge(object(d.Body, part), patch)
			}
		}
		return i.judgeWhole(h, d)
	})
	return unlessUnchanged(err)
}

func unlessUnchanged(err error) error {
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// choose takes out of the patches what is there already, or out of the document what the patches replace.
func (i *importer) choose(d *vault.Draft, b *brought) (some bool) {
	for _, part := range []string{agentSettings, conversationSettings, miscSettings} {
		for _, path := range units(part, b.parts[part]) {
			what, holder := Taken, b.parts[part]
			if len(path) == 3 {
				holder = object(holder, path[1])
			}
			switch present := holdsUnit(d, path); {
			case present && !i.Replace:
				what = Present
				delete(holder, path[len(path)-1])
			case present:
				what = Replaced
				d.ClearBelow(pointerTo(path))
				delete(objectOf(valueAt(d.Body, pointerTo(path[:len(path)-1]))), path[len(path)-1])
				if pointerTo(path) == modelUnit {
					delete(d.Body, activeProfile)
				}
			}
			some = some || what != Present
			i.outcome(what, b.item.Place.At(path...), "")
		}
	}
	return some
}

// point makes active what the file names, where nothing is yet.
func (i *importer) point(d *vault.Draft, b *brought) (some bool) {
	agent := b.agentProfile
	if old, set := agent.(string); set {
		id, known := i.agents[old]
		if agent = id; !known {
			agent = nil
			i.outcome(Skipped, b.item.Place.At(activeAgentProfile), "this agent profile was not taken")
		}
	}
	for _, p := range []struct {
		name  string
		value any
	}{{activeProfile, b.profile}, {activeAgentProfile, agent}} {
		present := d.Body[p.name] != nil || p.name == activeProfile && holdsUnit(d, steps(modelUnit))
		switch {
		case p.value == nil:
		case present && !i.Replace:
			i.outcome(Present, b.item.Place.At(p.name), "")
		default:
			if p.name == activeProfile {
				i.clearModel(d)
			}
			d.Body[p.name], some = p.value, true
			i.outcome(map[bool]string{true: Replaced, false: Taken}[present], b.item.Place.At(p.name), "")
		}
	}
	return some
}

// judgeWhole judges the settings as they will be, with the layers below them.
func (i *importer) judgeWhole(h holdings, d *vault.Draft) error {
	e, err := i.settled(i.ctx, h, d)
	if err != nil {
		return err
	}
	var all []problem.Field
	for part, whole := range map[string]map[string]any{agentSettings: e.agent, conversationSettings: e.conversation} {
		document := map[string]string{agentSettings: schema.Agent, conversationSettings: schema.Conversation}[part]
		faults, err := i.Book.Judge(i.ctx, document, whole)
		if err != nil {
			return err
		}
		for _, f := range faults {
			f.Loc = append([]any{part}, f.Loc...)
			all = append(all, f)
		}
	}
	switch {
	case len(all) > 0:
		return problem.Fields(all...)
	case e.misfits():
		return errInvalid
	}
	return nil
}
