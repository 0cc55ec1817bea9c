package agentserver

import (
	"net/http"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
)

// errManaged refuses MCP servers in the files of single-user mode: they would run or be called at the next start.
var errManaged = problem.New(http.StatusForbidden, "MCP servers cannot be kept in single-user files here. Sign in to keep some of your own.")

// virtualRoutes are the rows of what the upstream keeps once for everybody: settings, secrets, profiles, workspaces, extensions.
// We answer them from the vault in its shapes, so that clients work; nothing of its own reaches a team. The one exception, marked
// "files", is the anonymous tenant where the installation keeps single-user files: there the upstream's own answers count, without
// any key. What belongs to the team is for those who hold access.SettingsTeam, whatever the row asks for.
func virtualRoutes() []route {
	const (
		read  = access.SettingsRead
		prefs = access.SettingsPreferences
		own   = access.SettingsWrite
		files = "; files: the anonymous tenant's own"
	)
	return []route{
		{"GET", "/api/settings", read, proxy.Virtual, orFiles(vaulted((*settings.Surface).Get), (*Dialect).fileSettings), "schema defaults, the operator's model, the team's settings, one's own" + files},
		{"PATCH", "/api/settings", prefs, proxy.Virtual, orFiles(vaulted((*settings.Surface).Patch), (*Dialect).patchFileSettings), "preferences are everybody's; the rest asks for settings:write" + files},
		{"GET", agentSchema, read, proxy.Pass, nil, "static"},
		{"GET", conversationSchema, read, proxy.Pass, nil, "static"},
		{"POST", "/api/settings/mcp/{settings_key}", own, proxy.Virtual, vaulted((*settings.Surface).CreateServer), "kept in the vault; called or run with a conversation only"},
		{"PATCH", "/api/settings/mcp/{settings_key}", own, proxy.Virtual, vaulted((*settings.Surface).PatchServer), "kept in the vault; called or run with a conversation only"},
		{"DELETE", "/api/settings/mcp/{settings_key}", own, proxy.Virtual, vaulted((*settings.Surface).DeleteServer), "kept in the vault; called or run with a conversation only"},

		{"GET", secretsPath, read, proxy.Virtual, orFiles(vaulted((*settings.Surface).ListSecrets), forward), "names of one's own and the team's" + files},
		{"PUT", secretsPath, own, proxy.Virtual, orFiles(vaulted((*settings.Surface).PutSecret), (*Dialect).putFileSecret), "sealed in the vault" + files},
		{"GET", secretsPath + "/{name}", own, proxy.Virtual, orFiles(vaulted((*settings.Surface).GetSecret), forward), "one's own; the team's for those who keep it" + files},
		{"DELETE", secretsPath + "/{name}", own, proxy.Virtual, orFiles(vaulted((*settings.Surface).DeleteSecret), forward), "one's own; the team's for those who keep it" + files},

		{"GET", profilesPath, read, proxy.Virtual, orFiles(vaulted((*settings.Surface).ListProfiles), forward), "one's own, the team's, the operator's model" + files},
		{"GET", profilesPath + "/{name}", read, proxy.Virtual, orFiles(vaulted((*settings.Surface).GetProfile), (*Dialect).fileProfile), "keys masked, as tokens, or one's own in clear" + files},
		{"POST", profilesPath + "/{name}", own, proxy.Virtual, orFiles(vaulted((*settings.Surface).SaveProfile), alone((*Dialect).saveFileProfile)), "kept in the vault" + files},
		{"DELETE", profilesPath + "/{name}", own, proxy.Virtual, orFiles(vaulted((*settings.Surface).DeleteProfile), forward), "kept in the vault" + files},
		{"POST", profilesPath + "/{name}/rename", own, proxy.Virtual, orFiles(vaulted((*settings.Surface).RenameProfile), alone(forward)), "kept in the vault" + files},
		{"POST", profilesPath + "/{name}/activate", own, proxy.Virtual, orFiles(vaulted((*settings.Surface).ActivateProfile), alone(forward)), "the model of later conversations of one's own" + files},
		{"POST", profilesPath + "/{name}/validate", own, proxy.Virtual, orFiles(vaulted((*settings.Surface).ValidateProfile), (*Dialect).saveFileProfile), "we ask the model ourselves: the upstream would call any address" + files},

		{"GET", agentProfilesPath, read, proxy.Virtual, vaulted((*settings.Surface).ListAgentProfiles), "one's own and the team's"},
		{"GET", agentProfilesPath + "/{name}", read, proxy.Virtual, vaulted((*settings.Surface).GetAgentProfile), "one's own and the team's; no secrets in them"},
		{"POST", agentProfilesPath + "/{name}", own, proxy.Virtual, vaulted((*settings.Surface).SaveAgentProfile), "kept in the vault"},
		{"DELETE", agentProfilesPath + "/{name}", own, proxy.Virtual, vaulted((*settings.Surface).DeleteAgentProfile), "kept in the vault"},
		{"POST", agentProfilesPath + "/{name}/rename", own, proxy.Virtual, vaulted((*settings.Surface).RenameAgentProfile), "kept in the vault"},
		{"POST", agentProfilesPath + "/{name}/activate", own, proxy.Virtual, vaulted((*settings.Surface).ActivateAgentProfile), "a pointer of one's own"},
		{"POST", agentProfilesPath + "/{name}/materialize", read, proxy.Virtual, vaulted((*settings.Surface).MaterializeAgentProfile), "what a profile would start, without secrets"},

		{"GET", workspacesPath, read, proxy.Virtual, vaulted((*settings.Surface).ListWorkspaces), "folders below the team's root"},
		{"POST", workspacesPath, own, proxy.Virtual, vaulted((*settings.Surface).AddWorkspaces), "folders below the team's root"},
		{"DELETE", workspacesPath, own, proxy.Virtual, vaulted((*settings.Surface).DeleteWorkspace), "one's own; the team's for those who keep it"},
		{"POST", workspacesPath + "/parents", own, proxy.Virtual, vaulted((*settings.Surface).AddWorkspaceParents), "folders below the team's root"},
		{"DELETE", workspacesPath + "/parents", own, proxy.Virtual, vaulted((*settings.Surface).DeleteWorkspaceParent), "one's own; the team's for those who keep it"},

		{"GET", connectionsPath, read, proxy.Virtual, vaulted((*settings.Surface).ListConnections), "one's own and the team's, without keys"},
		{"POST", connectionsPath, own, proxy.Virtual, vaulted((*settings.Surface).CreateConnection), "kept in the vault"},
		{"PATCH", connectionsPath + "/{connection_id}", own, proxy.Virtual, vaulted((*settings.Surface).UpdateConnection), "kept in the vault"},
		{"DELETE", connectionsPath + "/{connection_id}", own, proxy.Virtual, vaulted((*settings.Surface).DeleteConnection), "kept in the vault"},

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
