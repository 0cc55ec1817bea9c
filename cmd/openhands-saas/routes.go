package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

// route is one line of the listing.
type route struct {
	Method     string `json:"method"`
	Path       string `json:"path"`
	WebSocket  bool   `json:"websocket"`
	Treatment  string `json:"treatment"`
	Permission string `json:"permission"`
	Role       string `json:"least_role"` // "" when nobody may
	Reason     string `json:"reason"`
}

func routesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "routes",
		Short: "List every operation of the upstream that is known here, and what is done with it",
		Long:  "List every operation of the upstream that is known here, and what is done with it. What is not listed does not exist: it answers 404.",
		Args:  cobra.NoArgs,
	}
	asJSON := cmd.Flags().Bool("json", false, "as JSON")
	asMarkdown := cmd.Flags().Bool("markdown", false, "as a Markdown table")
	cmd.MarkFlagsMutuallyExclusive("json", "markdown")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		list := routesOf(agentserver.Routes())
		switch {
		case *asJSON:
			return writeJSON(cmd.OutOrStdout(), list)
		case *asMarkdown:
			return writeMarkdown(cmd.OutOrStdout(), list)
		}
		return writeText(cmd.OutOrStdout(), list)
	}
	return cmd
}

func routesOf(operations []proxy.Operation) []route {
	list := make([]route, len(operations))
	for i, o := range operations {
		role, _ := access.LeastRole(o.Permission)
		list[i] = route{o.Method, o.Path, o.WebSocket, string(o.Treatment), string(o.Permission), string(role), o.Reason}
	}
	return list
}

// method names WebSockets as such: their method says only how they begin.
func (r route) method() string {
	if r.WebSocket {
		return "WS"
	}
	return r.Method
}

func (r route) role() string {
	if r.Role == "" {
		return "nobody"
	}
	return r.Role
}

func writeJSON(out io.Writer, list []route) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(list)
}

func writeText(out io.Writer, list []route) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "METHOD\tPATH\tTREATMENT\tLEAST ROLE\tWHY")
	for _, r := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.method(), r.Path, r.Treatment, r.role(), r.Reason)
	}
	return w.Flush()
}

func writeMarkdown(out io.Writer, list []route) error {
	var b strings.Builder
	b.WriteString("| Method | Path | Treatment | Least role | Why |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range list {
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s |\n", r.method(), r.Path, r.Treatment, r.role(), strings.ReplaceAll(r.Reason, "|", `\|`))
	}
	_, err := io.WriteString(out, b.String())
	return err
}
