package agentserver

import (
	"net/http"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// Everybody is the permission of what needs none, in rows of Beside. It is held by no role and asked of nobody.
const Everybody access.Permission = "everybody"

// AnyMethod stands for every method, in rows of Beside.
const AnyMethod = "*"

// automation begins the paths of the automation service, another program that the UI asks by the same address.
const automation = "/api/automation/"

// Beside is what a reader of the table looks for in it and the engine needs no row for, because it never reaches the upstream:
// what the upstream serves too and we answer ourselves, the UI's own paths, and what belongs to another service. Here a method
// may be AnyMethod and the permission Everybody.
func Beside() []proxy.Operation {
	const (
		get   = http.MethodGet
		ours  = "about openhands-saas, not about the upstream"
		pages = "the upstream's manual is served to nobody; here this is a path of the UI like any other"
		whole = "with containers the upstream passes whatever comes to the conversation's own server: only the rows of this table are served"
	)
	return []proxy.Operation{
		{Method: get, Path: "/", Permission: access.TeamRead, Treatment: proxy.Virtual, Reason: "the UI's page, not the upstream's data about itself"},
		{Method: get, Path: "/{path...}", Permission: Everybody, Treatment: proxy.Virtual, Reason: "the UI's files, public as in their package; a path that is no file is the UI's page, which is for those who may call the API"},
		{Method: get, Path: "/alive", Permission: Everybody, Treatment: proxy.Virtual, Reason: ours},
		{Method: get, Path: "/health", Permission: Everybody, Treatment: proxy.Virtual, Reason: ours},
		{Method: get, Path: "/ready", Permission: Everybody, Treatment: proxy.Virtual, Reason: ours},
		{Method: get, Path: "/docs", Permission: access.Nobody, Treatment: proxy.Deny, Reason: pages},
		{Method: get, Path: "/docs/oauth2-redirect", Permission: access.Nobody, Treatment: proxy.Deny, Reason: pages},
		{Method: get, Path: "/openapi.json", Permission: access.Nobody, Treatment: proxy.Deny, Reason: pages},
		{Method: get, Path: "/redoc", Permission: access.Nobody, Treatment: proxy.Deny, Reason: pages},
		{Method: AnyMethod, Path: talk, Permission: access.Nobody, Treatment: proxy.Deny, Reason: whole},
		{Method: AnyMethod, Path: talk + "/{tail...}", Permission: access.Nobody, Treatment: proxy.Deny, Reason: whole},
		{Method: AnyMethod, Path: automation + "{path...}", Permission: access.Nobody, Treatment: proxy.Deny, Reason: "the automation service is another program, not behind this server: what has no row above answers 404"},
	}
}
