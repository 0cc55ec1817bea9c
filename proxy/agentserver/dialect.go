// Package agentserver is the dialect of the agent-server generation of the upstream: the one table of its operations
// (routes.go), what is done with the body and the answer of each, and the Canvas UI in front of it.
//
// It never decides who somebody is (the engine's gate does) and never keeps state of its own beyond small caches: conversations
// belong to tenancy/conversation, settings to tenancy/vault. Its key idea: whatever a client may send is named in an
// allow-list and encoded anew, whatever the upstream says is narrowed to the caller's team, and an operation that is not in the
// table does not exist.
package agentserver

import (
	"context"
	"errors"
	"html/template"
	"log/slog"
	"path"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/egress"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/schema"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// OperatorModel is the model that the operator gives to everyone. Its key is never shown to anybody.
type OperatorModel struct {
	Model   string
	BaseURL string
	APIKey  string
}

// Config is all that the dialect needs. Fields without a comment are required.
type Config struct {
	Conversations *conversation.Service
	Vault         *vault.Store
	Egress        *egress.Policy

	WorkspaceRoot  string                           // the host folder, as the upstream sees it, that holds all teams' folders
	WorkspaceMount string                           // optional: the same folder as seen from here
	OperatorModel  OperatorModel                    // optional: no model means that users bring their own
	Bash           bool                             // who may write to a conversation may run commands in its folder
	AnonymousFiles bool                             // anonymous callers use the upstream's own settings files
	FrontendDir    string                           // the Canvas build; empty: no UI
	ContentOrigin  string                           // optional: where files of workspaces are shown, as the engine's content origin
	Head           func(nonce string) template.HTML // optional: what the overlay puts into the page's head

	// HasUsers says whether anybody has an account here. Optional: nil means that nobody has.
	HasUsers func(context.Context) (bool, error)

	Log *slog.Logger // optional
}

// Dialect answers the operations of one upstream. Make it with New, build the engine from Operations, then Attach the engine.
type Dialect struct {
	config   Config
	log      *slog.Logger
	engine   *proxy.Engine
	homes    sync.Map // team id → struct{}: whose project folder is known to exist
	settings *settings.Surface
	running  following
	runtime  runtime
	rooms    rooms
	canvas   *canvas // nil without a UI
}

// New checks the configuration.
func New(c Config) (*Dialect, error) {
	if c.Conversations == nil || c.Vault == nil || c.Egress == nil {
		return nil, errors.New("agentserver: Conversations, Vault and Egress are required")
	}
	if !path.IsAbs(c.WorkspaceRoot) || path.Clean(c.WorkspaceRoot) != c.WorkspaceRoot || c.WorkspaceRoot == "/" {
		return nil, errors.New("agentserver: the workspace root must be an absolute, clean path other than /")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	ui, err := openCanvas(c.FrontendDir, c.ContentOrigin, c.Head)
	if err != nil {
		return nil, err
	}
	d := &Dialect{config: c, log: c.Log, canvas: ui}
	d.settings = settings.New(settings.Config{
		Vault: c.Vault, Book: schema.New(d.document, c.Log), Egress: c.Egress, Operator: settings.Operator(c.OperatorModel),
		WorkspaceRoot: c.WorkspaceRoot, Commands: c.Bash, Log: c.Log,
	})
	return d, nil
}

// Attach gives the dialect the engine that was built from its operations. It must happen before the first request.
func (d *Dialect) Attach(e *proxy.Engine) { d.engine = e }

// call asks the upstream in nobody's name.
func (d *Dialect) call(ctx context.Context, out proxy.Outgoing) (*proxy.Reply, error) {
	if d.engine == nil {
		return nil, errors.New("agentserver: no engine is attached")
	}
	return d.engine.Call(ctx, nil, out)
}

// teamRoot is the folder that a team takes for its home.
func (d *Dialect) teamRoot(team uuid.UUID) string {
	return path.Join(d.config.WorkspaceRoot, "teams", team.String())
}

// within says whether p is root or lies below it. Both must be clean.
func within(root, p string) bool {
	return p == root || strings.HasPrefix(p, root+"/")
}
