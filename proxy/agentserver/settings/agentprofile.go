package settings

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/schema"
)

// profileForms is the model of an agent profile and its defaults, in version 2: the upstream's OpenAPI document says no more than
// that it is an object.
//
//go:embed agentprofile.json
var profileForms string

// profileVersion is the form that profiles are kept in.
const profileVersion = 2

// profileForm is one of the forms, made anew for the caller.
func profileForm(name string) map[string]any {
	all, err := decoded[map[string]any](profileForms)
	if err != nil {
		panic("agentprofile.json cannot be read: " + err.Error()) // it is part of the program
	}
	return object(all, name)
}

// errProfileVersion is what the upstream says of a version that it does not know.
var errProfileVersion = problem.New(http.StatusUnprocessableEntity, "Invalid agent profile")

// wholeProfile judges an agent profile as the upstream does, and gives it with its defaults. A profile is free of secrets: it
// names the model's profile, the MCP servers and the secrets that it uses.
func wholeProfile(name string, sent map[string]any) (map[string]any, error) {
	in, err := upgraded(name, sent)
	if err != nil {
		return nil, err
	}
	switch kind, given := in["agent_kind"]; {
	case given && kind == "acp":
		return nil, faulty(fault("value_error", []any{"agent_kind"}, "Only agents of kind openhands are available here."))
	case given && kind != "openhands":
		return nil, faulty(fault("union_tag_invalid", []any{}, "Input tag does not match any of the expected tags: 'openhands'"))
	}
	if condenser, isObject := in["condenser"].(map[string]any); isObject {
		if _, tagged := condenser["condenser_kind"]; !tagged {
			condenser["condenser_kind"] = "llm_summarizing"
		}
	}
	clean, faults := schema.Given(profileForm("model"), in, "openhands")
	if faults = append(pydantic(faults), beyond(in)...); len(faults) > 0 {
		return nil, faulty(faults...)
	}
	return withDefaults(clean.(map[string]any)), nil
}

// upgraded is a copy in the version of today.
func upgraded(name string, sent map[string]any) (map[string]any, error) {
	raw, err := json.Marshal(sent)
	if err != nil {
		return nil, err
	}
	in, err := decoded[map[string]any](string(raw))
	if err != nil {
		return nil, err
	}
	in["name"] = name
	if version, given := in["schema_version"]; given && version != nil {
		switch version {
		case json.Number("1"):
			delete(in, "skills")
		case json.Number("2"):
		default:
			return nil, errProfileVersion
		}
	}
	in["schema_version"] = json.Number(fmt.Sprint(profileVersion))
	return in, nil
}

// pydantic names faults as the upstream does where it reads objects that are not a request's body.
func pydantic(faults []problem.Field) []problem.Field {
	for i, f := range faults {
		switch {
		case f.Type == "model_attributes_type":
			faults[i].Type = "model_type"
			if f.Loc[len(f.Loc)-1] == "condenser" { // of whatever kind it is not, it would be of the usual one
				faults[i].Loc = at(f.Loc, "llm_summarizing")
			}
		case f.Type == "string_type" && len(f.Loc) == 2 && f.Loc[1] == "id":
			faults[i].Type = "uuid_type"
		}
	}
	return faults
}

// beyond finds what a schema cannot say.
func beyond(in map[string]any) []problem.Field {
	var faults []problem.Field
	if id, isText := in["id"].(string); isText {
		if _, err := uuid.Parse(id); err != nil {
			faults = append(faults, fault("uuid_parsing", []any{"openhands", "id"}, "Input should be a valid UUID"))
		}
	}
	tools, _ := in["tools"].([]any)
	for i, t := range tools {
		tool, _ := t.(map[string]any)
		if name, isText := tool["name"].(string); isText && strings.TrimSpace(name) == "" {
			faults = append(faults, fault("value_error", []any{"openhands", "tools", i, "name"}, "Value error, Tool name cannot be empty"))
		}
	}
	return faults
}

// withDefaults completes a profile that was judged.
func withDefaults(clean map[string]any) map[string]any {
	profile := over(profileForm("profile"), clean)
	profile["verification"] = over(profileForm("verification"), object(clean, "verification"))
	kind, given := object(clean, "condenser")["condenser_kind"].(string)
	if !given {
		kind = "llm_summarizing"
	}
	profile["condenser"] = over(profileForm(kind), object(clean, "condenser"))
	tools, _ := clean["tools"].([]any)
	for _, t := range tools {
		if tool, isObject := t.(map[string]any); isObject && tool["params"] == nil {
			tool["params"] = map[string]any{}
		}
	}
	return profile
}

// over puts members over defaults; null is a value here.
func over(defaults, members map[string]any) map[string]any {
	maps.Copy(defaults, members)
	return defaults
}

// faulty is a 422 as the upstream writes it of agent profiles: without inputs.
func faulty(faults ...problem.Field) error {
	listed := make([]any, len(faults))
	for i, f := range faults {
		listed[i] = map[string]any{"loc": f.Loc, "type": f.Type, "msg": f.Msg}
	}
	return &problem.Error{Status: http.StatusUnprocessableEntity, Detail: listed}
}

// oneMore is the revision after another one.
func oneMore(revision any) any { return json.Number(strconv.FormatInt(whole(revision)+1, 10)) }

// whole is a whole number; 0 for anything else.
func whole(v any) int64 {
	n, _ := v.(json.Number)
	count, _ := n.Int64()
	return count
}
