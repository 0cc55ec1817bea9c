package proxy

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/uuid"
	"golang.org/x/net/http/httpguts"

	"github.com/openhands-saas/openhands-saas/access"
)

// headerKey carries the upstream's key. Its name is the upstream's, as those of forwarding are everybody's.
const (
	headerKey   = "X-Session-Api-Key"
	headerFor   = "X-Forwarded-For"
	headerHost  = "X-Forwarded-Host"
	headerProto = "X-Forwarded-Proto"
)

// IdentityHeaders are the names of the headers that tell the upstream who asks. "" is the default; "-" leaves a header out. No
// client can set one, whatever its name.
type IdentityHeaders struct {
	UserID         string // X-OpenHands-User-Id
	UserEmail      string // X-OpenHands-User-Email, percent-encoded
	TeamID         string // X-OpenHands-Team-Id: the team that counts for the request
	TeamRole       string // X-OpenHands-Team-Role: what the user is in that team
	ForwardedUser  string // X-Forwarded-User: the user's id again
	ForwardedEmail string // X-Forwarded-Email
	Groups         string // X-Forwarded-Groups: the team's id again
	Token          string // X-OpenHands-Identity: all of it, signed; sent where Config.IdentityKey is set
}

// names are the fields in one order, so that what holds for all is written once.
func (h *IdentityHeaders) names() []*string {
	return []*string{&h.UserID, &h.UserEmail, &h.TeamID, &h.TeamRole, &h.ForwardedUser, &h.ForwardedEmail, &h.Groups, &h.Token}
}

// noHeader is the name that leaves a header out.
const noHeader = "-"

func (h IdentityHeaders) withDefaults() IdentityHeaders {
	defaults := IdentityHeaders{
		"X-OpenHands-User-Id", "X-OpenHands-User-Email", "X-OpenHands-Team-Id", "X-OpenHands-Team-Role", "X-Forwarded-User",
		"X-Forwarded-Email", "X-Forwarded-Groups", "X-OpenHands-Identity",
	}
	names := h.names()
	for i, d := range defaults.names() {
		*names[i] = http.CanonicalHeaderKey(or(*names[i], *d))
	}
	return h
}

// reservedNames are headers that mean something to HTTP, to the upstream or to us.
var reservedNames = []string{
	"host", "connection", "content-length", "content-type", "content-encoding", "transfer-encoding", "accept", "accept-encoding",
	"user-agent", "date", "origin", "etag", "vary", "location", "set-cookie", "cache-control", "retry-after",
	"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-session-api-key", "x-expose-secrets", "x-init-api-key", "x-content-type-options",
}

func (h IdentityHeaders) check() (faults []error) {
	seen := map[string]bool{}
	for _, name := range h.names() {
		plain := folded(*name)
		switch {
		case *name == noHeader:
		case !httpguts.ValidHeaderFieldName(*name) || slices.Contains(reservedNames, plain) || seen[plain]:
			faults = append(faults, fmt.Errorf("the identity header %q must be the name of a header that nothing else uses", *name))
		}
		seen[plain] = true
	}
	return faults
}

// custom are the names that the static rules for clients' headers do not know.
func (h IdentityHeaders) custom() map[string]bool {
	found := map[string]bool{}
	for _, name := range h.names() {
		if !ours(*name) && *name != noHeader {
			found[folded(*name)] = true
		}
	}
	return found
}

// identity writes who asks, for whom and from where. Values share one array: it is the hot path.
func (e *Engine) identity(h http.Header, in *http.Request, p *access.Principal, team uuid.UUID) {
	values := make([]string, 0, 12)
	set := func(name, value string) {
		if value == "" || name == noHeader {
			return
		}
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	set(headerKey, e.cfg.Key)
	if p != nil {
		user, group := userOf(p), team.String()
		email := url.PathEscape(p.Email)
		role, _ := p.RoleIn(team)
		set(e.names.UserID, user)
		set(e.names.ForwardedUser, user)
		set(e.names.UserEmail, email)
		set(e.names.ForwardedEmail, email)
		set(e.names.TeamID, group)
		set(e.names.Groups, group)
		set(e.names.TeamRole, string(role))
		set(e.names.Token, e.signer.token(p, team, role))
	}
	if in != nil {
		set(headerFor, e.peers.clientText(in))
		set(headerHost, in.Host)
		set(headerProto, e.peers.scheme(in))
	}
}

func userOf(p *access.Principal) string {
	if p.Anonymous {
		return "anonymous"
	}
	return p.User.String()
}
