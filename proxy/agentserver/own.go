package agentserver

import (
	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
)

// ownRoutes are the rows of operations that no upstream has: other names for what the table's rows serve. They stand apart from it,
// so that it stays comparable with what an upstream publishes.
func ownRoutes() []route {
	const (
		configurations = "/api/llm-configurations"
		one            = configurations + "/{configuration_id}"
		read           = access.SettingsRead
		own            = access.SettingsWrite
		kept           = "one's own model profiles, under the name and in the shape that scripts know"
	)
	return []route{
		{"GET", configurations, read, proxy.Virtual, vaulted((*settings.Surface).ListConfigurations), kept},
		{"POST", configurations, own, proxy.Virtual, vaulted((*settings.Surface).CreateConfiguration), kept},
		{"POST", configurations + "/test", own, proxy.Virtual, vaulted((*settings.Surface).TestConfiguration), "we ask the model ourselves, as for a profile"},
		{"GET", one, read, proxy.Virtual, vaulted((*settings.Surface).GetConfiguration), kept},
		{"PUT", one, own, proxy.Virtual, vaulted((*settings.Surface).PutConfiguration), kept},
		{"DELETE", one, own, proxy.Virtual, vaulted((*settings.Surface).DeleteConfiguration), kept},
		{"PUT", one + "/set-default", own, proxy.Virtual, vaulted((*settings.Surface).DefaultConfiguration), "the model of later conversations of one's own"},
	}
}

// bothForms are the rows with and without a slash at the end, as all routes of ours.
func bothForms(rows []route) []route {
	var all []route
	for _, r := range rows {
		slashed := r
		slashed.path += "/"
		all = append(all, r, slashed)
	}
	return all
}
