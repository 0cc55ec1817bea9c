package proxy

import "github.com/openhands-saas/openhands-saas/access"

// Treatment is what is done with a request of an operation.
type Treatment string

// The treatments. Pass and Own are forwarded as they came when they have no handler; Deny answers 403; all others need one.
const (
	Pass    Treatment = "PASS"    // no tenant data
	Own     Treatment = "OWN"     // the id in the path belongs to the caller
	Filter  Treatment = "FILTER"  // a list or batch is narrowed
	Create  Treatment = "CREATE"  // the body is sanitised and ownership reserved before forwarding
	Confine Treatment = "CONFINE" // a host path must lie in a root of the team
	Virtual Treatment = "VIRTUAL" // answered from our own database
	Deny    Treatment = "DENY"    // served to nobody
)

// Handler answers one exchange. An error that it returns is written as a problem: access.ErrHidden as the one 404,
// access.ErrForbidden as 403. After it answered (Forward, JSON, NoContent, Tunnel) it returns nil.
type Handler func(*Exchange) error

// Operation is one row of a dialect's table: a method and a path template, who may call it and what is done.
//
// Segments in braces are parameters. One whose name ends in "conversation_id" matches conversation ids only, and the engine
// authorises the caller on that conversation before the handler runs; without one the permission is asked in the caller's
// current team. The last segment may be a tail, "{file_path...}", which takes the rest of the path, slashes included.
type Operation struct {
	Method     string
	Path       string
	Permission access.Permission
	Treatment  Treatment
	Handle     Handler // nil: Pass and Own forward (or tunnel, for a WebSocket), Deny answers 403
	Reason     string  // one line for whoever reads the table
	WebSocket  bool    // answers upgrades to the WebSocket protocol and nothing else
	MaxBody    int64   // the largest request body; 0 means Config.MaxBody
	Content    bool    // served below links on the content origin, too
}
