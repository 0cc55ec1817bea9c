package agentserver_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func TestCreateRefusesWhatWidensPower(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	llm := func(name string, v any) map[string]any {
		return map[string]any{"agent_settings": map[string]any{"llm": map[string]any{"model": "openai/x", "api_key": "sk-x", name: v}}}
	}
	settings := func(name string, v any) map[string]any {
		return map[string]any{"agent_settings": map[string]any{name: v}}
	}
	agent := func(name string, v any) map[string]any {
		return map[string]any{"agent": map[string]any{"kind": "Agent", name: v}}
	}
	dir := func(v any) map[string]any { return map[string]any{"workspace": map[string]any{"working_dir": v}} }
	skill := func(trigger any) map[string]any {
		return settings("agent_context", map[string]any{"skills": []any{map[string]any{"name": "x", "content": "y", "trigger": trigger}}})
	}
	stdio := map[string]any{"x": map[string]any{"command": "id"}}
	server := func(address string) map[string]any { return map[string]any{"x": map[string]any{"url": address}} }
	for name, c := range map[string]struct {
		body map[string]any
		loc  string
	}{
		"another team's folder":       {dir(w.root("bob") + "/x"), "body workspace working_dir"},
		"a folder of the host":        {dir("/etc"), "body workspace working_dir"},
		"the root of all":             {dir("/"), "body workspace working_dir"},
		"a sibling with the prefix":   {dir(w.root("ann") + "x"), "body workspace working_dir"},
		"dots":                        {dir(w.root("ann") + "/../" + w.gate["bob"].CurrentTeam.String()), "body workspace working_dir"},
		"dots that stay":              {dir(w.root("ann") + "/a/../b"), "body workspace working_dir"},
		"a NUL":                       {dir(w.root("ann") + "/a\x00"), "body workspace working_dir"},
		"another workspace":           {map[string]any{"workspace": map[string]any{"kind": "RemoteWorkspace"}}, "body workspace kind"},
		"ACP settings":                {settings("agent_kind", "acp"), "body agent_settings agent_kind"},
		"an ACP agent":                {map[string]any{"agent": map[string]any{"kind": "ACPAgent", "acp_command": []any{"sh"}}}, "body agent kind"},
		"an agent without a kind":     {map[string]any{"agent": map[string]any{"llm": map[string]any{}}}, "body agent kind"},
		"an MCP server of the host":   {settings("mcp_config", server("http://127.0.0.1:8000/mcp")), "body agent_settings mcp_config x url"},
		"an agent's MCP server there": {agent("mcp_config", server("http://169.254.169.254/")), "body agent mcp_config x url"},
		"a skill's MCP servers":       {settings("agent_context", map[string]any{"skills": []any{map[string]any{"name": "x", "mcp_tools": stdio}}}), "body agent_settings agent_context skills 0 mcp_tools"},
		"a prompt of the host":        {agent("system_prompt_filename", "/etc/passwd"), "body agent system_prompt_filename"},
		"a policy of the host":        {agent("security_policy_filename", "/etc/passwd"), "body agent security_policy_filename"},
		"a critic":                    {agent("critic", map[string]any{"kind": "APIBasedCritic", "server_url": "http://203.0.113.1"}), "body agent critic"},
		"a critic by settings":        {settings("verification", map[string]any{"critic_enabled": true}), "body agent_settings verification critic_enabled"},
		"a condenser of parts":        {agent("condenser", map[string]any{"kind": "PipelineCondenser"}), "body agent condenser kind"},
		"a pattern without end":       {skill(map[string]any{"type": "path", "paths": []any{"**/**/**/a"}}), "body agent_settings agent_context skills 0 trigger paths 0"},
		"a pattern of many stars":     {skill(map[string]any{"type": "path", "paths": []any{"*a*a*a*a"}}), "body agent_settings agent_context skills 0 trigger paths 0"},
		"a long pattern":              {skill(map[string]any{"type": "path", "paths": []any{strings.Repeat("a", 201)}}), "body agent_settings agent_context skills 0 trigger paths 0"},
		"another trigger":             {skill(map[string]any{"type": "regex", "regex": "(a+)+"}), "body agent_settings agent_context skills 0 trigger type"},
		"a tool that runs inside":     {settings("tools", []any{map[string]any{"name": "workflow"}}), "body agent_settings tools 0 name"},
		"tools that run inside":       {agent("tools", []any{map[string]any{"name": "workflow_tool_set"}}), "body agent tools 0 name"},
		"a tool of all teams' agents": {settings("tools", []any{map[string]any{"name": "task"}}), "body agent_settings tools 0 name"},
		"tools of all teams' agents":  {agent("tools", []any{map[string]any{"name": "task_tool_set"}}), "body agent tools 0 name"},
		"a variable as a key":         {llm("api_key", "os.environ/OH_SECRET_KEY"), "body agent_settings llm api_key"},
		"a token of the host":         {llm("api_key", "oidc/file//var/run/secrets/x"), "body agent_settings llm api_key"},
		"a variable after a blank":    {llm("api_key", " OS.ENVIRON/HOME"), "body agent_settings llm api_key"},
		"a variable as an address":    {llm("base_url", "os.environ/HOME"), "body agent_settings llm base_url"},
		"a variable elsewhere":        {llm("aws_session_token", "os.environ/HOME"), "body agent_settings llm aws_session_token"},
		"a variable as a version":     {llm("api_version", "oidc/google/x"), "body agent_settings llm api_version"},
		"an inner image":              {map[string]any{"initial_message": pictures("http://169.254.169.254/latest")}, "body initial_message content 0 image_urls 0"},
		"a second, inner image":       {map[string]any{"initial_message": pictures("data:image/png;base64,xx", "http://203.0.113.1/", "HTTPS://[::1]/")}, "body initial_message content 0 image_urls 2"},
		"images without end":          {map[string]any{"initial_message": pictures(slices.Repeat([]string{"http://203.0.113.1/"}, 21)...)}, "body initial_message content 0 image_urls 20"},
		"a tool of shared profiles":   {settings("tools", []any{map[string]any{"name": "ask_oracle"}}), "body agent_settings tools 0 name"},
		"a longer model of a cloud":   {llm("model", "ai21.jamba-1-5-large-v1:0"), "body agent_settings llm model"},
		"another team's tool":         {settings("tools", []any{map[string]any{"name": "their_tool"}}), "body agent_settings tools 0 name"},
		"a tool's parameters":         {settings("tools", []any{map[string]any{"name": "terminal", "params": map[string]any{"shell_path": "/bin/x"}}}), "body agent_settings tools 0 params shell_path"},
		"a plan elsewhere":            {settings("tools", []any{map[string]any{"name": "planning_file_editor", "params": map[string]any{"plan_path": "/etc/x"}}}), "body agent_settings tools 0 params plan_path"},
		"plugins":                     {map[string]any{"plugins": []any{map[string]any{"source": "github:a/b"}}}, "body plugins"},
		"a profile beside settings":   {map[string]any{"agent_profile_id": uuid.NewString()}, "body"},
		"secrets in the context":      {settings("agent_context", map[string]any{"secrets": map[string]any{"A": "b"}}), "body agent_settings agent_context secrets"},
		"marketplaces":                {settings("agent_context", map[string]any{"registered_marketplaces": []any{map[string]any{"source": "x"}}}), "body agent_settings agent_context registered_marketplaces"},
		"a secret from elsewhere":     {map[string]any{"secrets": map[string]any{"A": map[string]any{"kind": "LookupSecret", "url": "http://169.254.169.254/"}}}, "body secrets A url"},
		"a secret without a kind":     {map[string]any{"secrets": map[string]any{"A": map[string]any{"url": "http://169.254.169.254/"}}}, "body secrets A url"},
		"a secret by a climbing path": {map[string]any{"secrets": map[string]any{"A": map[string]any{"kind": "LookupSecret", "url": "/api/settings/secrets/../../conversations"}}}, "body secrets A url"},
		"another kind of secret":      {map[string]any{"secrets": map[string]any{"A": map[string]any{"kind": "EnvSecret"}}}, "body secrets A kind"},
		"a sealed secret":             {map[string]any{"secrets": map[string]any{"A": map[string]any{"kind": "StaticSecret", "value": "gAAAAABx"}}}, "body secrets A value"},
		"a token as a secret":         {map[string]any{"secrets": map[string]any{"A": " ohv1.x"}}, "body secrets A value"},
		"a sealed key":                {llm("api_key", "gAAAAABx"), "body agent_settings llm api_key"},
		"a sealed key after a blank":  {llm("api_key", " gAAAAABx"), "body agent_settings llm api_key"},
		"a sealed key elsewhere":      {llm("aws_secret_access_key", "gAAAAABx"), "body agent_settings llm aws_secret_access_key"},
		"an inner address":            {llm("base_url", "http://127.0.0.1:9"), "body agent_settings llm base_url"},
		"a metadata address":          {llm("base_url", "http://169.254.169.254/"), "body agent_settings llm base_url"},
		"headers":                     {llm("extra_headers", map[string]any{"A": "b"}), "body agent_settings llm extra_headers"},
		"an extra body":               {llm("litellm_extra_body", map[string]any{"a": "b"}), "body agent_settings llm litellm_extra_body"},
		"a subscription":              {llm("auth_type", "subscription"), "body agent_settings llm auth_type"},
		"a connection":                {llm("provider_connection_id", "x"), "body agent_settings llm provider_connection_id"},
		"a profile of the cloud":      {llm("aws_profile_name", "default"), "body agent_settings llm aws_profile_name"},
		"a role of the cloud":         {llm("aws_role_name", "r"), "body agent_settings llm aws_role_name"},
		"an endpoint of the cloud":    {llm("aws_bedrock_runtime_endpoint", "http://127.0.0.1"), "body agent_settings llm aws_bedrock_runtime_endpoint"},
		"a region that is a host":     {llm("aws_region_name", "evil.example/"), "body agent_settings llm aws_region_name"},
		"an address as a model":       {llm("model", "huggingface/http://127.0.0.1"), "body agent_settings llm model"},
		"a model by host identity":    {llm("model", "vertex_ai/gemini"), "body agent_settings llm model"},
		"a bare model of a cloud":     {llm("model", "anthropic.claude-3"), "body agent_settings llm model"},
		"a model of an odd provider":  {llm("model", "nadir/x"), "body agent_settings llm model"},
		"a provider in capitals":      {llm("model", "OpenAI/x"), "body agent_settings llm model"},
		"a bare name of nobody":       {llm("model", "llama3.1"), "body agent_settings llm model"},
		"a bare name at a cloud":      {llm("model", "claude-3@bedrock"), "body agent_settings llm model"},
		"a bare name of Google's":     {llm("model", "gemini-2.5-pro"), "body agent_settings llm model"},
		"azure without an address":    {llm("model", "azure/x"), "body agent_settings llm base_url"},
		"a model of the host":         {llm("model", "ollama/llama3"), "body agent_settings llm base_url"},
		"cloud without its keys":      {llm("model", "bedrock/x"), "body agent_settings llm aws_access_key_id"},
		"a model without a key":       {settings("llm", map[string]any{"model": "openai/other"}), "body agent_settings llm api_key"},
		"the operator's key sent off": {settings("llm", map[string]any{"model": "openai/house", "base_url": "http://203.0.113.66/"}), "body agent_settings llm api_key"},
		"no end":                      {map[string]any{"max_iterations": 1000000}, "body max_iterations"},
		"a system message":            {map[string]any{"initial_message": map[string]any{"role": "system", "content": []any{}}}, "body initial_message role"},
		"a file as an image":          {map[string]any{"initial_message": map[string]any{"content": []any{map[string]any{"type": "image", "image_urls": []any{"file:///etc/passwd"}}}}}, "body initial_message content 0 image_urls 0"},
		"another policy":              {map[string]any{"confirmation_policy": map[string]any{"kind": "x"}}, "body confirmation_policy kind"},
		"an analyzer that calls":      {map[string]any{"security_analyzer": map[string]any{"kind": "GraySwanAnalyzer"}}, "body security_analyzer kind"},
		"an id in braces":             {map[string]any{"conversation_id": "{" + uuid.NewString() + "}"}, "body conversation_id"},
		"an unknown parent":           {map[string]any{"parent_conversation_id": uuid.NewString()}, "body parent_conversation_id"},
		"nothing to run":              {map[string]any{"agent_settings": nil}, "body agent_settings"},
	} {
		a := w.ask("ann", "POST", conversationsPath, startBody(c.body))
		if a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d %s, want 422", name, a.status, a.body)
			continue
		}
		var places []string
		for _, fault := range parsed[struct{ Detail []struct{ Loc []any } }](t, a.body).Detail {
			places = append(places, strings.Trim(fmt.Sprint(fault.Loc), "[]"))
		}
		if len(places) != 1 || places[0] != c.loc {
			t.Errorf("%s: faults at %v, want at %s", name, places, c.loc)
		}
		if strings.Contains(a.body, "gAAAA") || strings.Contains(a.body, "sk-x") {
			t.Errorf("%s: the answer repeats a secret: %s", name, a.body)
		}
	}
	if got := len(w.upstream.arrived(conversationsPath)); got != 0 {
		t.Errorf("%d requests reached the upstream, want none", got)
	}
}

// pictures is a message of images.
func pictures(addresses ...string) map[string]any {
	return map[string]any{"role": "user", "content": []any{map[string]any{"type": "image", "image_urls": addresses}}}
}

func TestProvidersThatGoByAKeyAreTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	taken := func(llm map[string]any) {
		llm["api_key"] = "sk-x"
		body := map[string]any{"agent_settings": map[string]any{"llm": llm}}
		if a := w.ask("ann", "POST", conversationsPath, startBody(body)); a.status != http.StatusCreated {
			t.Errorf("%v: %d %s, want 201", llm["model"], a.status, a.body)
		}
	}
	for _, name := range []string{
		"gpt-4.1", "gpt-5.6", "chatgpt-4o-latest", "o4-mini", "ft:gpt-4o", "claude-3.5-sonnet", "claude-sonnet-4-5-20250929", "command-r-08-2024",
		"openai/ai21.jamba", "anthropic/x", "gemini/x", "mistral/x", "groq/x", "deepseek/x", "openrouter/a/b", "together_ai/a/b",
		"fireworks_ai/x", "xai/x", "cohere/x", "perplexity/x", "openhands/x",
	} {
		taken(map[string]any{"model": name})
	}
	for _, name := range []string{"openai/x", "azure/x", "ollama/x", "ollama_chat/x", "litellm_proxy/x", "hosted_vllm/x", "custom_openai/x"} {
		taken(map[string]any{"model": name, "base_url": "http://203.0.113.5/v1"})
	}
	taken(map[string]any{"model": "bedrock/anthropic.claude-3", "aws_access_key_id": "a", "aws_secret_access_key": "b"})
}

func TestNoOtherProviderIsTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{
		"vertex_ai", "vertex_ai_beta", "sagemaker", "github_copilot", "chatgpt", "snowflake", "databricks", "watsonx", "oci", "sap", "gdc",
		"nadir", "bytez", "baseten", "strands_decider", "predibase", "manus", "triton", "vllm", "text-completion-openai", "Bedrock", "petals",
		"litellm_agent", "auto_router", "github", "huggingface", "replicate", "cloudflare", "",
	} {
		llm := map[string]any{"model": name + "/x", "api_key": "sk-x", "base_url": "http://203.0.113.5/v1"}
		body := map[string]any{"agent_settings": map[string]any{"llm": llm}}
		if a := w.ask("ann", "POST", conversationsPath, startBody(body)); a.status != 422 {
			t.Errorf("%s: %d %s, want 422", name, a.status, a.body)
		}
	}
}

// What the server would run in a shell of its own is text that it does not recognise.
func TestASkillRunsNothingInTheServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for content, want := range map[string]string{
		"a !`id` b": "a ! `id` b", "!!`id``!`x`": "!! `id``! `x`", "\\!`id`": "\\! `id`", "```\n!`id`\n": "```\n! `id`\n", "Hello! `x`": "Hello! `x`",
	} {
		w.upstream.forget()
		skills := []any{map[string]any{"name": "x", "content": content, "source": "/etc/passwd", "is_agentskills_format": true}}
		w.create("ann", map[string]any{"agent_settings": map[string]any{"agent_context": map[string]any{"skills": skills}}})
		sent := within(t, parsed[map[string]any](t, w.posts()[0].body), "agent_settings", "agent_context")
		skill := sent.(map[string]any)["skills"].([]any)[0].(map[string]any)
		if skill["content"] != want || skill["source"] != nil {
			t.Errorf("%q became %q from %v, want %q from nowhere", content, skill["content"], skill["source"], want)
		}
	}
}

func TestASkillsTriggersPass(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	triggers := []any{
		map[string]any{"type": "keyword", "keywords": []any{"git"}}, map[string]any{"type": "task", "triggers": []any{"/x"}},
		map[string]any{"type": "path", "paths": []any{"src/**/*.test.*", "**/a/**", "*.py"}}, nil,
	}
	for _, trigger := range triggers {
		skills := []any{map[string]any{"name": "x", "content": "y", "trigger": trigger}}
		w.create("ann", map[string]any{"agent_settings": map[string]any{"agent_context": map[string]any{"skills": skills}}})
	}
	for n, post := range w.posts() {
		sent := within(t, parsed[map[string]any](t, post.body), "agent_settings", "agent_context")
		got := sent.(map[string]any)["skills"].([]any)[0].(map[string]any)["trigger"]
		if diff := cmp.Diff(triggers[n], got); diff != "" {
			t.Errorf("trigger %d (-want +got):\n%s", n, diff)
		}
	}
}
