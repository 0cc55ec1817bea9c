package agentserver

import (
	"slices"
	"strings"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/guard"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// route is one row of the table. handle is a method expression; nil leaves the row to the engine: Pass and Own forward as they
// came, Deny answers 403.
type route struct {
	method     string // "WS" is a GET that must be an upgrade
	path       string
	permission access.Permission
	treatment  proxy.Treatment
	handle     func(*Dialect, *proxy.Exchange) error
	reason     string
}

// Short names, so that the table keeps one line per operation.
const (
	nobody       = access.Nobody
	readTalk     = access.ConversationRead
	startTalk    = access.ConversationCreate
	writeTalk    = access.ConversationWrite
	deleteTalk   = access.ConversationDelete
	readFile     = access.FileRead
	writeFile    = access.FileWrite
	readSettings = access.SettingsRead

	conversations = "/api/conversations"
	talk          = conversations + "/{conversation_id}"
)

// ConversationsPrefix begins the paths of what belongs to one conversation, whose id comes next.
const ConversationsPrefix = conversations + "/"

// maxUpload is the largest file that a client may bring: it is streamed, so it costs no memory.
const maxUpload = 2 << 30

// table is every operation there is; what is not in it does not exist. The rows of settings, profiles, secrets, workspaces and
// extensions, which we answer ourselves, come from virtualRoutes.
func table() []route {
	rows := []route{
		// Conversations.
		{"GET", conversations + "/search", readTalk, proxy.Filter, (*Dialect).searchConversations, "pages over our own rows; the upstream lists every team"},
		{"GET", conversations + "/count", readTalk, proxy.Virtual, (*Dialect).countConversations, "the upstream counts every team"},
		{"GET", conversations, readTalk, proxy.Filter, (*Dialect).batchConversations, "foreign ids never reach the upstream and come back as null"},
		{"POST", conversations, startTalk, proxy.Create, (*Dialect).createConversation, "id reserved first, body encoded anew from an allow-list"},
		{"GET", talk, readTalk, proxy.Own, (*Dialect).getConversation, "foreign ids inside the object are removed"},
		{"PATCH", talk, writeTalk, proxy.Own, (*Dialect).patchConversation, "title and tags only"},
		{"DELETE", talk, deleteTalk, proxy.Own, (*Dialect).deleteConversation, "the id stays its team's for ever"},
		{"GET", talk + "/agent_final_response", readTalk, proxy.Own, nil, "the owner's text"},
		{"POST", talk + "/run", writeTalk, proxy.Own, (*Dialect).command, "the owner's agent"},
		{"POST", talk + "/pause", writeTalk, proxy.Own, (*Dialect).command, "the owner's agent"},
		{"POST", talk + "/interrupt", writeTalk, proxy.Own, (*Dialect).command, "the owner's agent"},
		{"POST", talk + "/condense", writeTalk, proxy.Own, (*Dialect).command, "the owner's history"},
		{"POST", talk + "/ask_agent", writeTalk, proxy.Own, (*Dialect).askAgent, "one question to the owner's model"},
		{"POST", talk + "/navigate", writeTalk, proxy.Own, (*Dialect).navigate, "moves the head of the owner's history"},
		{"POST", talk + "/secrets", writeTalk, proxy.Own, (*Dialect).setSecrets, "static values only: a looked-up secret makes the server fetch a URL"},
		{"POST", talk + "/confirmation_policy", writeTalk, proxy.Own, (*Dialect).setConfirmationPolicy, "known kinds only"},
		{"POST", talk + "/security_analyzer", writeTalk, proxy.Own, (*Dialect).setSecurityAnalyzer, "kinds without an address or a model of their own"},
		{"POST", talk + "/switch_llm", writeTalk, proxy.Own, unlessApart((*Dialect).switchModel), "the same rules for a model as at creation"},
		{"GET", talk + "/runtime", readTalk, proxy.Own, nil, "a state, no address and no key"},
		{"POST", talk + "/runtime/reprovision", writeTalk, proxy.Own, (*Dialect).command, "a state, no address and no key"},
		{"POST", talk + "/goal", writeTalk, proxy.Own, (*Dialect).setGoal, "the owner's agent, in at most 50 rounds"},
		{"POST", talk + "/goal/stop", writeTalk, proxy.Own, (*Dialect).command, "the owner's agent"},
		{"POST", talk + "/goal/resume", writeTalk, proxy.Own, (*Dialect).command, "the owner's agent"},
		{"POST", talk + "/fork", startTalk, proxy.Create, unlessApart((*Dialect).fork), "an id of ours reserved first, the same folder, the model's key put back"},
		{"POST", talk + "/switch_profile", writeTalk, proxy.Own, unlessApart((*Dialect).switchProfile), "a profile of the vault, as switch_llm"},
		{"POST", talk + "/switch_acp_model", nobody, proxy.Deny, nil, "such agents are refused at creation"},
		{"POST", talk + "/load_plugin", nobody, proxy.Deny, nil, "a plugin's hooks run on the host"},
		{"POST", talk + "/runtime/credentials", nobody, proxy.Deny, nil, "returns a container's key in clear"},
		{"DELETE", talk + "/runtime", writeTalk, proxy.Own, (*Dialect).command, "stops the owner's container; without containers the upstream refuses it"},
		{"POST", conversations + "/prepare-for-sandbox-pause", nobody, proxy.Deny, nil, "closes every team's conversations"},
		{"PUT", talk + "/credential-bindings/{secret_name}", nobody, proxy.Deny, nil, "fetches a given URL before it looks at the id"},

		// Events.
		{"GET", talk + "/events/search", readTalk, proxy.Own, (*Dialect).storedEvents, "the owner's history, states in it narrowed"},
		{"GET", talk + "/events/count", readTalk, proxy.Own, nil, "the owner's history"},
		{"GET", talk + "/events/{event_id}", readTalk, proxy.Own, (*Dialect).oneEvent, "the owner's history, states in it narrowed"},
		{"GET", talk + "/events", readTalk, proxy.Own, (*Dialect).batchEvents, "ids come as a JSON list in the body"},
		{"POST", talk + "/events", writeTalk, proxy.Own, (*Dialect).postEvent, "role user only"},
		{"POST", talk + "/events/respond_to_confirmation", writeTalk, proxy.Own, (*Dialect).respond, "the owner's pending action"},
		{"WS", "/sockets/events/{conversation_id}", readTalk, proxy.Own, (*Dialect).socket, "live events; a Viewer's frames are dropped"},
		{"WS", "/sockets/session/{conversation_id}", readTalk, proxy.Own, (*Dialect).socket, "live events; a Viewer's frames are dropped"},
		{"WS", "/sockets/bash-events", nobody, proxy.Deny, nil, "runs commands on the host and shows those of all teams"},

		// Files of a workspace, served as pages, and of a conversation.
		{"POST", "/api/auth/workspace-session", readTalk, proxy.Virtual, (*Dialect).nothing, "the upstream would set its own key as a cookie"},
		{"DELETE", "/api/auth/workspace-session", readTalk, proxy.Virtual, (*Dialect).nothing, "there is no such cookie"},
		{"GET", talk + "/workspace", readFile, proxy.Own, (*Dialect).workspaceFile, "written by agents, so sandboxed in the browser"},
		{"GET", talk + "/workspace/{file_path...}", readFile, proxy.Own, (*Dialect).workspaceFile, "written by agents, so sandboxed in the browser"},
		{"GET", talk + "/file/download", readFile, proxy.Own, (*Dialect).ownFile, "the upstream confines it to the working directory"},
		{"GET", talk + "/file/archive", readFile, proxy.Own, (*Dialect).ownFile, "the upstream confines it to the working directory"},
		{"POST", talk + "/file/upload", writeFile, proxy.Own, (*Dialect).ownFile, "the upstream confines it to the working directory"},
		{"POST", talk + "/file/create_directory", writeFile, proxy.Own, (*Dialect).ownFile, "the upstream confines it to the working directory"},
		{"GET", talk + "/file/download-trajectory/{trajectory_conversation_id}", readFile, proxy.Own, nil, "the owner's history; both ids must be one"},
		{"GET", talk + "/git/changes", readFile, proxy.Own, (*Dialect).ownFile, "the upstream confines it to the working directory"},
		{"GET", talk + "/git/diff", readFile, proxy.Own, (*Dialect).ownFile, "the upstream confines it to the working directory"},
		{"GET", talk + "/git/commits", readFile, proxy.Own, (*Dialect).ownFile, "the upstream confines it to the working directory"},
		{"GET", talk + "/git/commits/{sha}/changes", readFile, proxy.Own, (*Dialect).ownFile, "the upstream confines it to the working directory"},
		{"POST", talk + "/bash/execute_bash_command", writeTalk, proxy.Own, (*Dialect).ownBash, "starts in the conversation's folder; an agent has a terminal anyway"},
		{"POST", talk + "/bash/start_bash_command", writeTalk, proxy.Own, (*Dialect).ownBash, "starts in the conversation's folder; an agent has a terminal anyway"},
		{"GET", talk + "/bash/bash_events/search", readTalk, proxy.Own, (*Dialect).bashLog, "the conversation's own log"},
		{"GET", talk + "/bash/bash_events/{event_id}", readTalk, proxy.Own, (*Dialect).bashLog, "the conversation's own log"},
		{"GET", talk + "/bash/bash_events/", readTalk, proxy.Own, (*Dialect).bashBatch, "the conversation's own log; ids come as a JSON list in the body"},
		{"DELETE", talk + "/bash/bash_events", writeTalk, proxy.Own, (*Dialect).bashLog, "the conversation's own log"},
		{"GET", talk + "/vscode/url", nobody, proxy.Deny, nil, "holds the upstream's key"},
		{"GET", talk + "/vscode/status", readTalk, proxy.Virtual, (*Dialect).noEditor, "there is no editor here"},

		// The host, addressed by a path: served as the call of the conversation whose folder holds the path. Elsewhere in the
		// team's root nothing is reached by a symbolic link. Where the workspace is mounted here that is looked up; without a
		// mount the upstream's lists of folders tell it of folders, and of files nothing does.
		{"GET", "/api/file/home", readFile, proxy.Virtual, (*Dialect).home, "the team's root"},
		{"GET", "/api/file/download", readFile, proxy.Confine, (*Dialect).flatFile, "any file of the host otherwise; outside a conversation's folder with a mount only"},
		{"GET", "/api/file/archive", readFile, proxy.Confine, (*Dialect).flatFile, "any folder of the host otherwise; outside a conversation's folder with a mount only"},
		{"POST", "/api/file/upload", writeFile, proxy.Confine, (*Dialect).flatFile, "any file of the host otherwise; outside a conversation's folder with a mount only"},
		{"POST", "/api/file/create_directory", writeFile, proxy.Confine, (*Dialect).flatFile, "any folder of the host otherwise; not behind a symbolic link"},
		{"GET", "/api/file/download-trajectory/{conversation_id}", readFile, proxy.Own, nil, "the owner's history"},
		{"GET", "/api/file/search_subdirs", readFile, proxy.Confine, (*Dialect).searchFolders, "folders below the team's root; not behind a symbolic link"},
		{"GET", "/api/git/changes", readFile, proxy.Confine, (*Dialect).flatFile, "any repository of the host otherwise; outside a conversation's folder with a mount only"},
		{"GET", "/api/git/diff", readFile, proxy.Confine, (*Dialect).flatFile, "any repository of the host otherwise; outside a conversation's folder with a mount only"},
		{"GET", "/api/git/commits", readFile, proxy.Confine, (*Dialect).flatFile, "any repository of the host otherwise; outside a conversation's folder with a mount only"},
		{"GET", "/api/git/commits/{sha}/changes", readFile, proxy.Confine, (*Dialect).flatFile, "any repository of the host otherwise; outside a conversation's folder with a mount only"},
		{"POST", "/api/bash/execute_bash_command", readFile, proxy.Confine, (*Dialect).flatBash, "as the command of the conversation in whose folder it starts, for its writers; readers the two that the UI runs by itself"},
		{"POST", "/api/bash/start_bash_command", writeTalk, proxy.Confine, (*Dialect).flatStart, "as the command of the conversation in whose folder it starts"},
		{"GET", "/api/bash/bash_events/search", readTalk, proxy.Confine, (*Dialect).flatLog, "what came of one command that was started so; the log itself is that of all teams"},
		{"GET", "/api/bash/bash_events/{event_id}", nobody, proxy.Deny, nil, "commands of all teams"},
		{"GET", "/api/bash/bash_events/", nobody, proxy.Deny, nil, "commands of all teams"},
		{"DELETE", "/api/bash/bash_events", nobody, proxy.Deny, nil, "clears everybody's log"},
		{"GET", "/api/vscode/url", nobody, proxy.Deny, nil, "holds the upstream's key"},
		{"GET", "/api/vscode/status", readTalk, proxy.Virtual, (*Dialect).noEditor, "there is no editor here"},

		// What agents find beside their task.
		{"POST", "/api/skills", readFile, proxy.Confine, (*Dialect).skills, "a project's own skills, no project behind a symbolic link; the user's folder is shared by all teams"},
		{"POST", "/api/hooks", readFile, proxy.Confine, (*Dialect).hooks, "a project's own hooks, no project behind a symbolic link"},
		{"POST", "/api/plugins", readFile, proxy.Confine, (*Dialect).plugins, "a project's own plugins, no project behind a symbolic link"},
		{"POST", "/api/sub-agents", readFile, proxy.Confine, (*Dialect).subAgents, "a project's own agents, no project behind a symbolic link"},
		{"POST", "/api/skills/sync", nobody, proxy.Deny, nil, "changes every team's agents"},
		{"POST", "/api/skills/install", nobody, proxy.Deny, nil, "changes every team's agents"},
		{"GET", "/api/skills/installed", readSettings, proxy.Virtual, (*Dialect).noSkills, "none are installed for a team"},
		{"GET", "/api/skills/installed/{skill_name}", readSettings, proxy.Virtual, (*Dialect).missing, "none are installed for a team"},
		{"PATCH", "/api/skills/installed/{skill_name}", nobody, proxy.Deny, nil, "changes every team's agents"},
		{"DELETE", "/api/skills/installed/{skill_name}", nobody, proxy.Deny, nil, "changes every team's agents"},
		{"POST", "/api/skills/installed/{skill_name}/refresh", nobody, proxy.Deny, nil, "changes every team's agents"},
		{"GET", "/api/skills/marketplace", readSettings, proxy.Filter, (*Dialect).skillMarket, "a public catalogue; what is installed is not the caller's business"},
		{"POST", "/api/plugins/install", nobody, proxy.Deny, nil, "a plugin's hooks run on the host"},
		{"GET", "/api/plugins/installed", readSettings, proxy.Virtual, (*Dialect).noPlugins, "none are installed for a team"},
		{"GET", "/api/plugins/installed/{plugin_name}", readSettings, proxy.Virtual, (*Dialect).missing, "none are installed for a team"},
		{"PATCH", "/api/plugins/installed/{plugin_name}", nobody, proxy.Deny, nil, "a plugin's hooks run on the host"},
		{"DELETE", "/api/plugins/installed/{plugin_name}", nobody, proxy.Deny, nil, "a plugin's hooks run on the host"},
		{"POST", "/api/plugins/installed/{plugin_name}/refresh", nobody, proxy.Deny, nil, "a plugin's hooks run on the host"},
		{"GET", "/api/plugins/marketplace", readSettings, proxy.Filter, (*Dialect).pluginMarket, "a public catalogue; what is installed is not the caller's business"},

		// Models and tools.
		{"GET", "/api/llm/providers", readSettings, proxy.Pass, nil, "static"},
		{"GET", "/api/llm/models", readSettings, proxy.Pass, nil, "static"},
		{"GET", "/api/llm/models/verified", readSettings, proxy.Pass, nil, "static"},
		{"GET", "/api/llm/subscription/openai/models", readSettings, proxy.Pass, nil, "static"},
		{"GET", "/api/llm/subscription/openai/status", readSettings, proxy.Virtual, (*Dialect).noSubscription, "one login for all teams, so never used"},
		{"POST", "/api/llm/subscription/openai/device/start", nobody, proxy.Deny, nil, "one login for all teams"},
		{"POST", "/api/llm/subscription/openai/device/poll", nobody, proxy.Deny, nil, "one login for all teams"},
		{"POST", "/api/llm/subscription/openai/logout", nobody, proxy.Deny, nil, "one login for all teams"},
		{"GET", "/api/tools/", readTalk, proxy.Filter, (*Dialect).tools, "the upstream adds the names of other teams' tools"},
		{"POST", "/api/mcp/test", nobody, proxy.Deny, nil, "runs a given command at once"},
		{"POST", "/api/mcp/oauth/start", nobody, proxy.Deny, nil, "jobs of the whole process"},
		{"GET", "/api/mcp/oauth/status/{job_id}", nobody, proxy.Deny, nil, "returns tokens"},
		{"POST", "/api/mcp/oauth/callback/{job_id}", nobody, proxy.Deny, nil, "jobs of the whole process"},

		// The server itself.
		{"GET", "/server_info", readTalk, proxy.Filter, (*Dialect).serverInfo, "version and runtime; the tools of other teams removed"},
		{"GET", "/api/init", nobody, proxy.Deny, nil, "sets keys and environment"},
		{"POST", "/api/init", nobody, proxy.Deny, nil, "sets keys and environment"},
		{"GET", "/v1/models", nobody, proxy.Deny, nil, "settings that all teams share"},
		{"POST", "/v1/chat/completions", nobody, proxy.Deny, nil, "makes conversations unseen and continues any id"},
		{"POST", "/v1/responses", nobody, proxy.Deny, nil, "makes conversations unseen"},
	}
	return append(rows, virtualRoutes()...)
}

// Routes is the static table, for people and for the command line: its handlers are absent.
func Routes() []proxy.Operation { return static(table()) }

// Own is the same of what no upstream has.
func Own() []proxy.Operation { return static(ownRoutes()) }

func static(rows []route) []proxy.Operation {
	var operations []proxy.Operation
	for _, r := range rows {
		operations = append(operations, r.operation())
	}
	return operations
}

// Operations is the table and what no upstream has, with their handlers bound to d, for the engine.
func (d *Dialect) Operations() []proxy.Operation {
	var operations []proxy.Operation
	for _, r := range slices.Concat(table(), bothForms(ownRoutes())) {
		o := r.operation()
		if handle := r.handle; handle != nil {
			o.Handle = func(x *proxy.Exchange) error { return handle(d, x) }
		}
		if !treated(r) {
			o = untreated(o)
		}
		operations = append(operations, o)
	}
	return operations
}

// treated says whether the guards of a row stand, as they all do in every build that people run.
func treated(r route) bool {
	narrowing := guard.Objects
	switch {
	case r.treatment != proxy.Own:
		return guard.Stands(guard.Guard(r.treatment))
	case r.method == "WS":
		narrowing = guard.Frames
	case strings.Contains(r.path, "/events"):
		narrowing = guard.Stored
	}
	return guard.Stands(guard.Own) && guard.Stands(narrowing)
}

// untreated is an operation that goes to the upstream as it came, for the build in which guards can be taken out.
func untreated(o proxy.Operation) proxy.Operation {
	o.Treatment, o.Handle = proxy.Pass, nil
	if o.Permission == nobody {
		o.Permission = readTalk
	}
	return o
}

func (r route) operation() proxy.Operation {
	o := proxy.Operation{Method: r.method, Path: r.path, Permission: r.permission, Treatment: r.treatment, Reason: r.reason}
	if r.method == "WS" {
		o.Method, o.WebSocket = "GET", true
	}
	o.Content = strings.HasPrefix(r.path, talk+"/workspace")
	if strings.HasSuffix(r.path, "/file/upload") {
		o.MaxBody = maxUpload
	}
	return o
}
