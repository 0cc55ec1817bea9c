package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

// Upstream is the agent-server behind the installation.
type Upstream struct {
	URL            string
	Key            string
	WorkspaceRoot  string // as the agent-server sees it
	WorkspaceMount string // the same folder as we see it; empty: not mounted here
}

// maxAnswer is more than any answer that is asked for.
const maxAnswer = 16 << 20

// reply is an answer that was read whole.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (e *examiner) upstream(ctx context.Context) {
	const check = "upstream"
	if e.Upstream == nil {
		e.skip(check, unsound)
		return
	}
	client := &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}, Timeout: e.Patience, CheckRedirect: stay}
	u := server{client: client, base: e.Upstream.URL}
	info, found := e.info(ctx, u)
	if !found {
		e.skip("upstream's version, operations, key, WebSocket, workspace root", "the agent-server must be there first")
		return
	}
	e.differences(ctx, u, info)
	if !e.key(ctx, u) {
		e.skip("upstream's WebSocket, workspace root", "the agent-server must take our key first")
		return
	}
	e.upstreamSocket(ctx, u)
	e.workspaces(ctx, u)
}

// info is what an agent-server says about itself to anybody.
func (e *examiner) info(ctx context.Context, u server) ([]byte, bool) {
	const check = "upstream"
	info, err := u.get(ctx, "/server_info", http.Header{keyHeader: {e.Upstream.Key}})
	switch {
	case err != nil:
		e.problem(check, "it does not answer: "+err.Error(), "start the agent-server, or correct UPSTREAM_URL ("+u.base+" now)")
	case info.status != http.StatusOK || !json.Valid(info.body):
		e.problem(check, fmt.Sprintf("what answers at %s is no agent-server (GET /server_info: %d)", u.base, info.status), "correct UPSTREAM_URL: the origin of the agent-server itself, without a path")
	default:
		e.ok(check, "%s answers", u.base)
		return info.body, true
	}
	return nil, false
}

const keyHeader = "X-Session-Api-Key"

// stay shows redirects as what they are.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// server is one that is asked.
type server struct {
	client *http.Client
	base   string
}

func (s server) get(ctx context.Context, path string, header http.Header) (reply, error) {
	return s.do(ctx, http.MethodGet, path, header)
}

func (s server) do(ctx context.Context, method, path string, header http.Header) (reply, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.base+path, nil)
	if err != nil {
		return reply{}, err
	}
	request.Header = header.Clone()
	if request.Header == nil {
		request.Header = http.Header{}
	}
	request.Header.Set("User-Agent", "openhands-saas-doctor")
	response, err := s.client.Do(request)
	if err != nil {
		return reply{}, plain(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return reply{response.StatusCode, response.Header, body}, err
}

// plain takes the method and the URL off an error, which stand in the finding.
func plain(err error) error {
	if wrapped, ok := err.(*url.Error); ok { //nolint:errorlint // http.Client returns it bare
		return wrapped.Err
	}
	return err
}

// differences holds the running upstream against the table.
func (e *examiner) differences(ctx context.Context, u server, info []byte) {
	openapi, err := u.get(ctx, "/openapi.json", http.Header{keyHeader: {e.Upstream.Key}})
	report, different := agentserver.Examine(info, openapi.body)
	e.upstreamVersion(report)
	const check = "upstream's operations"
	switch {
	case err != nil || different != nil:
		e.note(check, "they could not be read, so what is new there is not known; it is denied all the same", "let GET /openapi.json of the agent-server answer")
	case len(report.Unknown) > 0:
		e.note(check, "no row of the table names these, so they are denied: "+strings.Join(report.Unknown, ", "),
			"nothing, unless people need them: look for a newer openhands-saas")
	default:
		e.ok(check, "each has a row of the table")
	}
}

func (e *examiner) upstreamVersion(r agentserver.Report) {
	const check = "upstream's version"
	upgrade := "upgrade the agent-server to " + agentserver.TestedVersion
	switch {
	case r.Version == "":
		e.problem(check, "it does not say", upgrade)
	case r.TooOld:
		e.problem(check, fmt.Sprintf("%s is older than %s, the oldest that the UI accepts", r.Version, agentserver.OldestVersion), upgrade)
	case r.TooNew:
		e.note(check, fmt.Sprintf("%s is newer than %s, the newest that was tested", r.Version, agentserver.TestedVersion), "look for a newer openhands-saas, or go back to "+agentserver.TestedVersion)
	case !r.Tested:
		e.note(check, fmt.Sprintf("%s was not tested; %s was", r.Version, agentserver.TestedVersion), upgrade)
	default:
		e.ok(check, "%s, the one that was tested", r.Version)
	}
}

// key asks for something harmless with our key, and then without one.
func (e *examiner) key(ctx context.Context, u server) bool {
	const check, path = "upstream's key", "/api/conversations/count"
	with, err := u.get(ctx, path, http.Header{keyHeader: {e.Upstream.Key}})
	switch {
	case err != nil:
		e.problem(check, "GET "+path+" does not answer: "+err.Error(), "look at the agent-server's log")
		return false
	case with.status == http.StatusUnauthorized || with.status == http.StatusForbidden:
		e.problem(check, fmt.Sprintf("the agent-server refuses UPSTREAM_API_KEY (%d)", with.status), "make it one of session_api_keys in the agent-server's configuration, and restart what you changed")
		return false
	case with.status != http.StatusOK:
		e.problem(check, fmt.Sprintf("GET %s answers %d", path, with.status), "look at the agent-server's log")
		return false
	}
	without, err := u.get(ctx, path, nil)
	if err == nil && without.status == http.StatusOK {
		e.problem(check, "the agent-server asks for none: whoever reaches it is root of all teams", "give it session_api_keys in its configuration file, and restart it")
		return true
	}
	e.ok(check, "accepted, and demanded; give it by a file, since agents' terminals inherit the agent-server's environment, which cannot be seen from here")
	return true
}
