package agentserver

import (
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// The files of a workspace as pages: what agents wrote, shown by a browser. To it they must be strangers: to our own pages, whose
// origin they may share, and to each other. So every page has an origin of its own (the sandbox), without cookies and storage.

// The sandboxes. On our own origin a page is one file: what it would load from beside itself needs the cookie, which it has not.
// On the content origin its link is enough, and it may do what pages do, but for being one with other pages of that origin.
const (
	sandboxHere    = "sandbox allow-scripts"
	sandboxContent = "sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads"
)

// workspaceFile serves what agents wrote, on the content origin where there is one. On our own, a file that one of our own pages
// would take for its code or its style is refused: there the sandbox of a page does not hold.
func (d *Dialect) workspaceFile(x *proxy.Exchange) error {
	if !x.Linked() && slices.Contains(gadgets(), x.Request.Header.Get("Sec-Fetch-Dest")) {
		return errGadget
	}
	if to, ok := x.Link(); ok {
		if x.Operation.Path == talk+"/workspace" {
			to.Path += "/" // else what the page names would be looked for beside the workspace
		}
		return x.Redirect(to)
	}
	c, err := d.config.Conversations.Get(x.Request.Context(), x.Object.ID)
	if err != nil {
		return err
	}
	if err := d.reachesHere(x, path.Join("/", c.WorkingDir, x.Param("file_path"))); c.WorkingDir != "" && err != nil {
		return err
	}
	edit := strangerHere
	if x.Linked() {
		edit = strangerOnContent
	}
	return x.Forward(proxy.Outgoing{Ranges: true, Edit: edit})
}

func strangerHere(r *http.Response) error {
	stranger(r, sandboxHere)
	r.Header.Add("Vary", "Sec-Fetch-Dest")
	return nil
}

// strangerOnContent lets the page itself load its fonts and modules, and read its data: its origin is no other's, not even that
// of its own files. That tells nobody anything who has no link.
func strangerOnContent(r *http.Response) error {
	policy := sandboxContent
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) == "application/pdf" {
		policy = "base-uri 'none'; form-action 'none'" // not every browser shows a PDF in a sandbox, and it is no page that could use an origin
	}
	stranger(r, policy)
	r.Header.Set("Access-Control-Allow-Origin", "*")
	r.Header.Set("Access-Control-Expose-Headers", "*")
	r.Header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	return nil
}

func stranger(r *http.Response, policy string) {
	r.Header.Set("Content-Security-Policy", policy)
	r.Header.Set("X-Content-Type-Options", "nosniff")
	r.Header.Set("Referrer-Policy", "no-referrer")
}

// gadgets are the destinations of a browser's request at which what arrives acts for the page that asked. A page out of a
// workspace never gets so far on our own origin: its own is opaque, and it has no cookie to show.
func gadgets() []string {
	return []string{
		"script", "style", "worker", "sharedworker", "serviceworker", "audioworklet", "paintworklet", "manifest", "xslt",
	}
}

var errGadget = problem.New(http.StatusForbidden,
	"Files of a workspace are not served here as a page's script, style or worker. Put them into the page itself, or let the operator set CONTENT_URL.")
