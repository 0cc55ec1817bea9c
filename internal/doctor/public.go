package doctor

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/openhands-saas/openhands-saas/auth"
)

// Public is the address by which people come, and what the configuration says of it.
type Public struct {
	URL       string // to be examined, an origin; empty: there is none
	Asked     bool   // somebody named it, so that something must answer there
	PublicURL string // the configuration's; empty: unknown
	Proxies   bool   // proxies in front are named (TRUSTED_PROXIES)
	Insecure  bool   // accept any TLS certificate
}

// proxied is what most failures between people and us come down to.
const proxied = "look at the proxy in front: docs/operate.md, TLS in front, says what it must do"

func (e *examiner) public(ctx context.Context) {
	const check = "address"
	switch {
	case e.Public == nil:
		e.skip(check, unsound)
		return
	case e.Public.URL == "":
		e.find(check, Skipped, "there is none to examine", "give --url, or set PUBLIC_URL")
		return
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: e.Public.Insecure}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: e.Patience, CheckRedirect: stay}
	s := server{client: client, base: strings.TrimRight(e.Public.URL, "/")}
	if !e.answers(ctx, s) {
		e.skip("readiness, WebSocket, cookie, paths, transport", "openhands-saas must answer there first")
		return
	}
	e.ready(ctx, s)
	e.socket(ctx, s)
	e.cookie(ctx, s)
	e.paths(ctx, s)
	e.transport(s)
}

// answers finds us, and not somebody else, at the address.
func (e *examiner) answers(ctx context.Context, s server) bool {
	const check = "address"
	health, err := s.get(ctx, "/healthz", nil)
	var body struct{ Status string }
	switch {
	case err != nil && !e.Public.Asked:
		e.note(check, fmt.Sprintf("nothing answers at %s, so what is behind it was not looked at: %v", s.base, err), "start `openhands-saas serve`, or name the address that people use: --url")
	case err != nil:
		e.problem(check, fmt.Sprintf("nothing answers at %s: %v", s.base, err), "start `openhands-saas serve`; look at the name's DNS entry, the certificate and the proxy in front")
	case health.status >= 300 && health.status < 400:
		e.problem(check, fmt.Sprintf("%s redirects to %s", s.base, origin(health.header.Get("Location"))), "use the origin that it redirects to, here and as PUBLIC_URL")
	case health.status != http.StatusOK || json.Unmarshal(health.body, &body) != nil || body.Status != "ok":
		e.problem(check, fmt.Sprintf("what answers at %s is not openhands-saas (GET /healthz: %d)", s.base, health.status), proxied)
	default:
		e.ok(check, "openhands-saas answers at %s", s.base)
		return true
	}
	return false
}

// origin is all that is shown of where a redirect leads: the rest may hold what is secret.
func origin(location string) string {
	u, err := url.Parse(location)
	if err != nil || u.Host == "" {
		return "another path"
	}
	return u.Scheme + "://" + u.Host
}

func (e *examiner) ready(ctx context.Context, s server) {
	const check = "readiness"
	ready, err := s.get(ctx, "/readyz", nil)
	switch {
	case err != nil:
		e.problem(check, "GET /readyz does not answer: "+err.Error(), "look at the server's log")
	case ready.status != http.StatusOK:
		e.problem(check, fmt.Sprintf("GET /readyz answers %d: the running server does not reach its database", ready.status), "look at the server's log, and at the findings about the database above")
	default:
		e.ok(check, "the running server reaches its database")
	}
}

// cookie signs nobody out: the answer to that shows the cookie that a sign-in would set, and a browser's Origin is judged.
func (e *examiner) cookie(ctx context.Context, s server) {
	const check = "cookie"
	answer, err := s.do(ctx, http.MethodPost, "/api/auth/logout", http.Header{"Origin": {s.base}})
	switch {
	case err != nil:
		e.problem(check, "POST /api/auth/logout does not answer: "+err.Error(), proxied)
		return
	case answer.status == http.StatusForbidden:
		e.problem(check, "the running server takes requests from "+s.base+" for those of another site, so nobody can sign in there",
			"set PUBLIC_URL to the origin in people's address bar, restart, and let the proxy pass Host")
		return
	case answer.status != http.StatusNoContent:
		e.problem(check, fmt.Sprintf("POST /api/auth/logout answers %d", answer.status), proxied)
		return
	}
	cookies := (&http.Response{Header: answer.header}).Cookies()
	i := slices.IndexFunc(cookies, func(c *http.Cookie) bool { return strings.HasSuffix(c.Name, auth.CookieName(false)) })
	if i < 0 {
		e.problem(check, "it does not arrive", "let the proxy in front pass Set-Cookie")
		return
	}
	e.flags(s, cookies[i])
}

// flags are those that the address demands.
func (e *examiner) flags(s server, c *http.Cookie) {
	const check = "cookie"
	secure := strings.HasPrefix(s.base, "https://")
	switch {
	case c.Domain != "" || c.Path != "/" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure != (c.Name == auth.CookieName(true)):
		e.problem(check, "its flags were changed on the way", "let the proxy in front pass Set-Cookie as it is (no proxy_cookie_domain, _path or _flags)")
	case !secure && !c.Secure && strings.HasPrefix(e.Public.PublicURL, "https://"):
		e.note(check, "it is not for people at "+e.Public.PublicURL+": the server runs with another PUBLIC_URL than this configuration has", "restart it with this configuration")
	case c.Secure == secure:
		e.ok(check, "its flags fit %s", s.base)
	case e.Public.PublicURL != "" && e.Public.PublicURL != s.base && c.Secure == strings.HasPrefix(e.Public.PublicURL, "https://"):
		e.note(check, "it is for people at "+e.Public.PublicURL+"; at "+s.base+" nobody can sign in", "examine the address that people use: --url "+e.Public.PublicURL)
	case secure:
		e.problem(check, "it is not Secure, though people come by https", "set PUBLIC_URL="+s.base+" and restart")
	default:
		e.problem(check, "it is Secure, so that browsers refuse it from "+s.base+" and nobody stays signed in", "let people come by https, or set PUBLIC_URL="+s.base+" and restart")
	}
}

// paths asks for a path that we refuse in exactly the form in which it was sent.
func (e *examiner) paths(ctx context.Context, s server) {
	const check, path = "paths", "/api/%73ettings"
	answer, err := s.get(ctx, path, nil)
	if err != nil || answer.status != http.StatusBadRequest || !strings.Contains(string(answer.body), "canonical") {
		e.note(check, "something in front rewrites them: "+path+" did not arrive as it was sent, so names of files with special characters will not either",
			"let the proxy pass the path as it came (nginx: no path after proxy_pass's address)")
		return
	}
	e.ok(check, "they arrive as they were sent")
}

// transport looks at who can read along, and at whether we can tell people apart behind a proxy.
func (e *examiner) transport(s server) {
	const check = "transport"
	u, err := url.Parse(s.base)
	switch {
	case err != nil:
	case u.Scheme == "http" && !loopback(u.Hostname()):
		e.note(check, "people come by http: passwords and sessions travel readable", "put a proxy with TLS in front and set PUBLIC_URL to its https origin")
	case u.Scheme == "http":
		e.ok(check, "http, within this machine")
	case !e.Public.Proxies:
		e.note(check, "https, but TRUSTED_PROXIES is empty: everybody seems to come from the address of the proxy in front", "set TRUSTED_PROXIES to the proxy's own address")
	default:
		e.ok(check, "https, and the proxy in front is named")
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
