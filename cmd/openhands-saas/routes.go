package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

// route is one line of the listing.
type route struct {
	Method     string       `json:"method"` // "WS" begins as a GET that is an upgrade; "*" is any
	Path       string       `json:"path"`
	Permission string       `json:"permission"`
	Role       *access.Role `json:"role"` // the least that holds the permission; null where no role decides
	Treatment  string       `json:"treatment"`
	Reason     string       `json:"reason"`
}

func routesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "routes",
		Short: "List every operation of the upstream that is known here, and what is done with it",
		Long:  "List every operation of the upstream that is known here, and what is done with it.\n\n" + strings.Join(legend(), "\n"),
		Args:  cobra.NoArgs,
	}
	asJSON := cmd.Flags().Bool("json", false, "as JSON")
	asMarkdown := cmd.Flags().Bool("markdown", false, "as a Markdown page")
	cmd.MarkFlagsMutuallyExclusive("json", "markdown")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		out := cmd.OutOrStdout()
		switch {
		case *asJSON:
			return writeJSON(out, routes())
		case *asMarkdown:
			_, err := io.WriteString(out, markdown())
			return err
		}
		return writeText(out, routes())
	}
	return cmd
}

// legend is what one must know to read the table.
func legend() []string {
	return []string{
		"An operation that is not listed does not exist: it answers 404, and 401 to those who are not signed in.",
		"DENY answers 403. Who may not see a conversation gets the same 404 from all of its rows as for one that never was.",
		"WS is a WebSocket: a GET that must be an upgrade. {name...} is the rest of a path, slashes included. * is any method.",
	}
}

func routes() []route {
	return slices.Concat(routesOf(agentserver.Routes()), routesOf(agentserver.Own()), routesOf(agentserver.Beside()))
}

func routesOf(operations []proxy.Operation) []route {
	list := make([]route, len(operations))
	for i, o := range operations {
		list[i] = route{methodOf(o), o.Path, string(o.Permission), roleOf(o.Permission), string(o.Treatment), o.Reason}
	}
	return list
}

// methodOf names WebSockets as such: their method says only how they begin.
func methodOf(o proxy.Operation) string {
	if o.WebSocket {
		return "WS"
	}
	return o.Method
}

func roleOf(permission access.Permission) *access.Role {
	if role, held := access.LeastRole(permission); held {
		return &role
	}
	return nil
}

// least is the role as a word: where none decides, the permission says who may.
func (r route) least() string {
	if r.Role == nil {
		return r.Permission
	}
	return string(*r.Role)
}

func writeJSON(out io.Writer, list []route) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(list)
}

func writeText(out io.Writer, list []route) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "METHOD\tPATH\tPERMISSION\tLEAST ROLE\tTREATMENT\tWHY")
	for _, r := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Method, r.Path, r.Permission, r.least(), r.Treatment, r.Reason)
	}
	err := w.Flush()
	fmt.Fprintf(out, "\n%s\nThe last %d stand beside the table: they never reach the upstream, and their reason says what is answered. "+
		"The %d before them are ours: no upstream has them.\n", strings.Join(legend(), "\n"), len(agentserver.Beside()), len(agentserver.Own()))
	return err
}

// markdown is docs/upstream-routes.md.
func markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Every operation of the upstream, and what is done with it\n\n"+
		"Made by `openhands-saas routes --markdown` for agent-server %s; do not edit. `make routes-doc` makes it anew.\n\n", agentserver.TestedVersion)
	for _, line := range legend() {
		fmt.Fprintf(&b, "- %s\n", escape(line))
	}
	fmt.Fprintf(&b, "\nTreatments:\n\n")
	for _, t := range treatments() {
		fmt.Fprintf(&b, "- **%s**: %s\n", t.name, t.meaning)
	}
	b.WriteString("\n## Operations\n")
	writeTable(&b, routesOf(agentserver.Routes()))
	b.WriteString("\n## Operations that no upstream has\n\nOurs, with and without a slash at the end. The rows of settings, secrets, profiles, " +
		"connections and workspaces are found once more below `/api/teams/{team_id}/`, for what belongs to the team " +
		"([how](operate.md#defaults-of-a-team)).\n")
	writeTable(&b, routesOf(agentserver.Own()))
	b.WriteString("\n## Beside the table\n\nWhat never reaches the upstream; the reason says what is answered.\n")
	writeTable(&b, routesOf(agentserver.Beside()))
	return b.String()
}

func writeTable(b *strings.Builder, list []route) {
	b.WriteString("\n| Method | Path | Permission | Least role | Treatment | Why |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, r := range list {
		fmt.Fprintf(b, "| %s | `%s` | %s | %s | %s | %s |\n", escape(r.Method), r.Path, r.Permission, r.least(), r.Treatment, escape(r.Reason))
	}
}

// escape keeps text from being taken for Markdown.
func escape(text string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "<", `\<`, "_", `\_`).Replace(text)
}

type treatment struct {
	name    proxy.Treatment
	meaning string
}

func treatments() []treatment {
	return []treatment{
		{proxy.Pass, "holds no tenant's data; forwarded as it came"},
		{proxy.Own, "the id in the path must be the caller's to see"},
		{proxy.Filter, "an answer about many is narrowed to the caller's"},
		{proxy.Create, "the body is made anew from what is allowed, and ownership recorded before the upstream is asked"},
		{proxy.Confine, "a path of the host must lie in a folder of the team"},
		{proxy.Virtual, "answered here, without the upstream's data"},
		{proxy.Deny, "served to nobody"},
	}
}
