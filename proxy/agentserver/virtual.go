package agentserver

import (
	"net/http"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// errManaged refuses a change of what belongs to the operator, in words that a client shows as they are.
var errManaged = problem.New(http.StatusForbidden,
	"Settings are managed by the operator in this version and cannot be changed here. "+
		"A conversation may bring a model and an API key of its own.")

// virtualRoutes are the rows of what the upstream keeps once for everybody: settings, secrets, profiles, workspaces, extensions.
// We answer them in its shapes, so that clients work; nothing of its own reaches a team. The one exception, marked "files", is
// the anonymous tenant where the installation keeps single-user files: there the upstream's own answers count, without any key.
// Writing asks for a permission that every role has, because the answer to all is errManaged, a better one than a bare 403.
func virtualRoutes() []route {
	const (
		read  = access.SettingsRead
		own   = access.SettingsPreferences
		files = "; files: the anonymous tenant's own"
	)
	return []route{
		{"GET", "/api/settings", read, proxy.Virtual, orFiles((*Dialect).getSettings, (*Dialect).fileSettings), "schema defaults and the operator's model" + files},
		{"PATCH", "/api/settings", own, proxy.Virtual, orFiles((*Dialect).patchSettings, (*Dialect).patchFileSettings), "one's own preferences; the rest is the operator's" + files},
		{"GET", agentSchema, read, proxy.Pass, nil, "static"},
		{"GET", conversationSchema, read, proxy.Pass, nil, "static"},
		{"POST", "/api/settings/mcp/{settings_key}", own, proxy.Virtual, (*Dialect).managed, "a stored command would run at the next start"},
		{"PATCH", "/api/settings/mcp/{settings_key}", own, proxy.Virtual, (*Dialect).managed, "a stored command would run at the next start"},
		{"DELETE", "/api/settings/mcp/{settings_key}", own, proxy.Virtual, (*Dialect).managed, "there are none"},

		{"GET", secretsPath, read, proxy.Virtual, orFiles((*Dialect).listSecrets, forward), "none are kept yet" + files},
		{"PUT", secretsPath, own, proxy.Virtual, orFiles((*Dialect).managed, (*Dialect).putFileSecret), "none are kept yet" + files},
		{"GET", secretsPath + "/{name}", read, proxy.Virtual, orFiles((*Dialect).noSecret, forward), "none are kept yet" + files},
		{"DELETE", secretsPath + "/{name}", own, proxy.Virtual, orFiles((*Dialect).noSecret, forward), "none are kept yet" + files},

		{"GET", profilesPath, read, proxy.Virtual, orFiles((*Dialect).listProfiles, forward), "the operator's model" + files},
		{"GET", profilesPath + "/{name}", read, proxy.Virtual, orFiles((*Dialect).getProfile, (*Dialect).fileProfile), "the operator's model, its key a marker" + files},
		{"POST", profilesPath + "/{name}", own, proxy.Virtual, orFiles((*Dialect).managed, alone((*Dialect).saveFileProfile)), "the operator's" + files},
		{"DELETE", profilesPath + "/{name}", own, proxy.Virtual, orFiles((*Dialect).managed, forward), "the operator's" + files},
		{"POST", profilesPath + "/{name}/rename", own, proxy.Virtual, orFiles((*Dialect).managed, alone(forward)), "the operator's" + files},
		{"POST", profilesPath + "/{name}/activate", own, proxy.Virtual, orFiles((*Dialect).activateProfile, alone(forward)), "the UI asks for it unasked; there is one" + files},
		{"POST", profilesPath + "/{name}/validate", own, proxy.Virtual, orFiles((*Dialect).managed, (*Dialect).saveFileProfile), "the upstream would call the given address" + files},

		{"GET", agentProfilesPath, read, proxy.Virtual, fixed(map[string]any{"profiles": []any{}, "active_agent_profile_id": nil}), "none: clients send the settings themselves"},
		{"GET", agentProfilesPath + "/{name}", read, proxy.Virtual, (*Dialect).noAgentProfile, "there are none"},
		{"POST", agentProfilesPath + "/{name}", own, proxy.Virtual, (*Dialect).managed, "the upstream's belong to all teams"},
		{"DELETE", agentProfilesPath + "/{name}", own, proxy.Virtual, (*Dialect).managed, "the upstream's belong to all teams"},
		{"POST", agentProfilesPath + "/{name}/rename", own, proxy.Virtual, (*Dialect).managed, "the upstream's belong to all teams"},
		{"POST", agentProfilesPath + "/{name}/activate", own, proxy.Virtual, (*Dialect).noAgentProfile, "there are none"},
		{"POST", agentProfilesPath + "/{name}/materialize", own, proxy.Virtual, (*Dialect).noAgentProfile, "there are none"},

		{"GET", workspacesPath, read, proxy.Virtual, fixed(map[string]any{"workspaces": []any{}, "workspaceParents": []any{}}), "the upstream's are folders of the host"},
		{"POST", workspacesPath, own, proxy.Virtual, (*Dialect).managed, "the upstream's are folders of the host"},
		{"DELETE", workspacesPath, own, proxy.Virtual, (*Dialect).managed, "there are none"},
		{"POST", workspacesPath + "/parents", own, proxy.Virtual, (*Dialect).managed, "the upstream's are folders of the host"},
		{"DELETE", workspacesPath + "/parents", own, proxy.Virtual, (*Dialect).managed, "there are none"},

		{"GET", connectionsPath, read, proxy.Virtual, fixed([]any{}), "the upstream's hold keys for all teams"},
		{"POST", connectionsPath, own, proxy.Virtual, (*Dialect).managed, "the upstream's hold keys for all teams"},
		{"PATCH", connectionsPath + "/{connection_id}", own, proxy.Virtual, (*Dialect).managed, "there are none"},
		{"DELETE", connectionsPath + "/{connection_id}", own, proxy.Virtual, (*Dialect).managed, "there are none"},

		{"GET", "/api/automation/v1", read, proxy.Virtual, fixed(map[string]any{"automations": []any{}, "total": 0}), "none: that service is another program; a 404 would show as an error in the UI"},

		{"GET", extensionsPath + "/installed", read, proxy.Virtual, fixed(map[string]any{"canvas_extensions": []any{}}), "the UI runs each in everybody's page"},
		{"GET", extensionsPath + "/installed/{extension_name}", read, proxy.Virtual, (*Dialect).noExtension, "there are none"},
		{"GET", extensionsPath + "/installed/{extension_name}/bundle", read, proxy.Virtual, (*Dialect).noExtension, "there are none; it would be script in everybody's page"},
		{"POST", extensionsPath + "/install", access.Nobody, proxy.Deny, nil, "script in everybody's page"},
		{"PATCH", extensionsPath + "/installed/{extension_name}", access.Nobody, proxy.Deny, nil, "script in everybody's page"},
		{"DELETE", extensionsPath + "/installed/{extension_name}", access.Nobody, proxy.Deny, nil, "script in everybody's page"},
	}
}

// The places that more than one row or file names.
const (
	agentSchema        = "/api/settings/agent-schema"
	conversationSchema = "/api/settings/conversation-schema"
	secretsPath        = "/api/settings/secrets"
	profilesPath       = "/api/profiles"
	agentProfilesPath  = "/api/agent-profiles"
	workspacesPath     = "/api/workspaces"
	connectionsPath    = "/api/llm/provider-connections"
	extensionsPath     = "/api/canvas-extensions"
)

type handler = func(*Dialect, *proxy.Exchange) error

// orFiles takes the second handler for the anonymous tenant of an installation with single-user files.
func orFiles(ours, files handler) handler {
	return func(d *Dialect, x *proxy.Exchange) error {
		if d.usesFiles(x) {
			return files(d, x)
		}
		return ours(d, x)
	}
}

// usesFiles says whether the upstream's own files are the caller's. They serve the anonymous tenant and nobody else.
func (d *Dialect) usesFiles(x *proxy.Exchange) bool {
	return d.config.AnonymousFiles && x.Principal().Anonymous
}

func fixed(v any) handler {
	return func(_ *Dialect, x *proxy.Exchange) error { return x.JSON(http.StatusOK, v) }
}

func forward(_ *Dialect, x *proxy.Exchange) error { return x.Forward(proxy.Outgoing{}) }

func (d *Dialect) managed(*proxy.Exchange) error { return errManaged }

func (d *Dialect) listSecrets(x *proxy.Exchange) error {
	if x.Query().Has("agent_profile_id") {
		return problem.New(http.StatusNotFound, "Agent profile not found")
	}
	return x.JSON(http.StatusOK, map[string]any{"secrets": []any{}})
}

func (d *Dialect) noSecret(*proxy.Exchange) error {
	return problem.New(http.StatusNotFound, "Secret not found")
}

func (d *Dialect) noAgentProfile(x *proxy.Exchange) error {
	return problem.Newf(http.StatusNotFound, "Agent profile '%s' not found", clipped(x.Param("name")))
}

func (d *Dialect) noExtension(x *proxy.Exchange) error {
	return problem.Newf(http.StatusNotFound, "Canvas extension '%s' is not installed", clipped(x.Param("extension_name")))
}

// clipped bounds a name that is given back in an answer.
func clipped(name string) string {
	if runes := []rune(name); len(runes) > 64 {
		return string(runes[:64])
	}
	return name
}
