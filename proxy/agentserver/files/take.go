package files

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

func (r *reader) add(kind Kind, at Place, name string, body map[string]any) {
	opened := r.clear(at, body)
	r.found.Items = append(r.found.Items, Item{Place: at, Kind: kind, Name: name, Body: body, Opened: opened})
}

// version refuses what another generation wrote. Without a version it is of the oldest.
func (r *reader) version(at Place, content map[string]any, oldest, newest int64) bool {
	v := oldest
	if given := content["schema_version"]; given != nil {
		number, _ := given.(json.Number)
		var err error
		if v, err = number.Int64(); err != nil {
			r.fault(at.At("schema_version"), "this is no version")
			return false
		}
	}
	switch {
	case v > newest:
		r.fault(at.At("schema_version"), "version %d is newer than 1.49 writes (%d)", v, newest)
	case v < oldest:
		r.fault(at.At("schema_version"), "version %d is older than 1.49 writes (%d): let an agent-server 1.49 write the file anew, by saving any setting", v, newest)
	}
	return oldest <= v && v <= newest
}

func (r *reader) settings(at Place, content map[string]any) {
	if !r.version(at, content, 0, 3) {
		return
	}
	agent, isObject := r.object(at, content, "agent_settings")
	if isObject && !r.version(at.At("agent_settings"), agent, 6, 6) {
		return
	}
	if conversation, isObject := r.object(at, content, "conversation_settings"); isObject && !r.version(at.At("conversation_settings"), conversation, 1, 1) {
		return
	}
	r.object(at, content, "misc_settings")
	var opened []string
	for _, pointer := range r.clear(at.At("agent_settings"), agent) { // nothing else of it is ever sealed
		opened = append(opened, "/agent_settings"+pointer)
	}
	r.found.Items = append(r.found.Items, Item{Place: at, Kind: Settings, Body: content, Opened: opened})
}

// object is a member that is an object, where there is one.
func (r *reader) object(at Place, in map[string]any, name string) (map[string]any, bool) {
	found, isObject := in[name].(map[string]any)
	if in[name] != nil && !isObject {
		r.fault(at.At(name), "this should be an object")
	}
	return found, isObject
}

// secrets are objects with a value and a description, or in older files the values alone.
func (r *reader) secrets(at Place, content map[string]any) {
	all, _ := r.object(at, content, "custom_secrets")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		here := at.At("custom_secrets", name)
		body, isObject := all[name].(map[string]any)
		if value, isText := all[name].(string); isText {
			body, isObject = map[string]any{"secret": value}, true
		}
		value, isText := body["secret"].(string)
		switch {
		case all[name] == nil, isObject && body["secret"] == nil:
			r.skip(here, "it has no value")
		case !isObject, !isText:
			r.fault(here, "this should be an object with a text as its secret")
		case strings.TrimSpace(value) == "":
			r.skip(here, "it has no value")
		case value == Mask:
			r.skip(here, "it is masked: its value is not in the file")
		default:
			r.add(Secret, here, name, map[string]any{"secret": value, "description": body["description"]})
		}
	}
}

func (r *reader) connections(at Place, content map[string]any) {
	if !r.version(at, content, 0, 1) {
		return
	}
	list, isList := content["connections"].([]any)
	if content["connections"] != nil && !isList {
		r.fault(at.At("connections"), "this should be a list")
	}
	for i, item := range list {
		here := at.At("connections", fmt.Sprint(i))
		body, isObject := item.(map[string]any)
		id, isText := body["id"].(string)
		switch {
		case item == nil:
		case !isObject, !isText, id == "":
			r.fault(here, "this should be an object with an id")
		default:
			r.add(Connection, here, id, body)
		}
	}
}

func (r *reader) profile(at Place, content map[string]any) {
	if r.version(at, content, 0, 1) {
		r.add(Profile, at, stem(at), content)
	}
}

// agentProfile takes one of whatever version: they hold no secrets, and are brought up to date where they are judged.
func (r *reader) agentProfile(at Place, content map[string]any) {
	r.found.Items = append(r.found.Items, Item{Place: at, Kind: AgentProfile, Name: stem(at), Body: content})
}

func (r *reader) workspaces(at Place, content map[string]any) {
	if r.version(at, content, 0, 1) {
		r.found.Items = append(r.found.Items, Item{Place: at, Kind: Workspaces, Body: content})
	}
}

// stem is the name that the upstream knows a file by.
func stem(at Place) string { return strings.TrimSuffix(path.Base(at.File), ".json") }
