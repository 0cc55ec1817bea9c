package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// Admin is where the running server tells operators what is not for everybody.
type Admin struct {
	Listen string // host:port, or the path of a Unix socket; empty: nowhere
}

// checks is the answer to /readyz?verbose.
type checks struct {
	Checks []struct{ Name, State, Detail string }
}

func (e *examiner) admin(ctx context.Context) {
	const check = "admin listener"
	switch {
	case e.Admin == nil:
		e.skip(check, unsound)
		return
	case e.Admin.Listen == "":
		e.ok(check, "there is none (ADMIN_LISTEN is not set)")
		return
	}
	e.exposure()
	transport, base := e.adminWay()
	defer transport.CloseIdleConnections()
	s := server{client: &http.Client{Transport: transport, Timeout: e.Patience, CheckRedirect: stay}, base: base}
	answer, err := s.get(ctx, "/readyz?verbose", nil)
	var running checks
	switch {
	case err != nil:
		e.note(check, fmt.Sprintf("nothing answers at %s, so the running server's own checks were not looked at: %v", e.Admin.Listen, err),
			"start `openhands-saas serve` on this machine, and with this configuration; a Unix socket opens for the account that it runs as, and for root")
	case json.Unmarshal(answer.body, &running) != nil || len(running.Checks) == 0:
		e.problem(check, fmt.Sprintf("what answers at %s is not openhands-saas (GET /readyz: %d)", e.Admin.Listen, answer.status), "set ADMIN_LISTEN to a free address, and restart")
	default:
		e.running(running)
	}
}

// running is what the running server says of itself.
func (e *examiner) running(said checks) {
	const check = "admin listener"
	well := true
	for _, c := range said.Checks {
		if c.State != "ok" {
			well = false
			e.problem(check, fmt.Sprintf("the running server's check of its %s: %s: %s", c.Name, c.State, c.Detail), "look at what is found about it above, and at the server's log")
		}
	}
	if well {
		e.ok(check, "answers at %s, and the running server's own checks are well", e.Admin.Listen)
	}
}

// exposure is about who else reaches it: it asks nobody who they are.
func (e *examiner) exposure() {
	host, _, err := net.SplitHostPort(e.Admin.Listen)
	if err == nil && !loopback(host) {
		e.note("admin listener", e.Admin.Listen+" is open to other machines and asks nobody who they are", "let only your monitoring reach it, or set ADMIN_LISTEN to 127.0.0.1 or to a Unix socket")
	}
}

// adminWay is how the listener is reached from this machine.
func (e *examiner) adminWay() (*http.Transport, string) {
	transport := &http.Transport{Proxy: nil, DisableKeepAlives: true}
	if strings.HasPrefix(e.Admin.Listen, "/") {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", e.Admin.Listen)
		}
		return transport, "http://localhost"
	}
	host, port, _ := net.SplitHostPort(e.Admin.Listen)
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return transport, "http://" + net.JoinHostPort(host, port)
}
