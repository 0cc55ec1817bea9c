package e2e_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/e2e/stack"
)

// sso is a product that lets people in by two issuers, which may run or not.
type sso struct {
	t     *testing.T
	run   *stack.Instance
	base  string // by the name that PUBLIC_URL has, so that cookies and ways back belong together
	ports map[string]int
	hosts map[string]string
}

// The issuers. Browsers keep cookies by host, so each has its own.
const (
	corp  = "corp"
	other = "other"
)

// startSSO starts the product, and none of its issuers. roles are lines of the corp issuer's section.
func startSSO(t *testing.T, env map[string]string, roles string) *sso {
	t.Helper()
	s := &sso{t: t, ports: map[string]int{}, hosts: map[string]string{corp: "127.0.0.1", other: "127.0.0.2"}}
	for name := range s.hosts {
		port, err := stack.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		s.ports[name] = port
	}
	file := filepath.Join(t.TempDir(), "sso.yaml")
	text := "oidc:\n" + s.section(corp) + "    groups_claim: groups\n    scopes: [email, profile, groups]\n" + roles + s.section(other)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	s.run, err = stack.StartInstance(t.Context(), stack.InstanceOptions{
		Binary: world.binary, Args: []string{"serve", "--log-level", "debug", "--config", file}, DataDir: t.TempDir(),
		Env: environment(env["DATABASE_URL"], env),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.run.Stop)
	world.mu.Lock()
	world.instances = append(world.instances, s.run)
	world.mu.Unlock()
	s.base = "http://localhost:" + portOf(s.run.URL())
	return s
}

func (s *sso) issuer(name string) string { return stack.IssuerURL(s.hosts[name], s.ports[name]) }

func (s *sso) section(name string) string {
	return "  - name: " + name + "\n    title: \"The " + name + "\"\n    issuer: " + s.issuer(name) +
		"\n    client_id: " + stack.IssuerClientID + "\n    client_secret: " + strconv.Quote(stack.IssuerClientSecret) + "\n"
}

// begin starts an issuer that knows those accounts.
func (s *sso) begin(name string, accounts map[string]map[string]any) *stack.Issuer {
	s.t.Helper()
	i, err := stack.StartIssuer(s.t.Context(), stack.IssuerOptions{
		Node: world.node, DataDir: filepath.Join(s.t.TempDir(), name), Host: s.hosts[name], Port: s.ports[name],
		Redirect: s.base + "/api/auth/" + name + "/callback", Accounts: accounts, Userinfo: name == other, Post: name == other,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(i.Stop)
	return i
}

// says is what an issuer says of one account.
func says(email string, groups ...string) map[string]any {
	return map[string]any{"email": email, "email_verified": true, "name": "Name of " + email, "groups": groups}
}

// visitor is a person's browser, without a picture: it keeps cookies and follows redirects.
type visitor struct {
	t    *testing.T
	base string
	http *http.Client
	way  []string // every address that a redirect led to
	stop string   // do not go on to an address that begins so
}

func (s *sso) visitor(t *testing.T) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, base: s.base}
	v.http = &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		v.way = append(v.way, r.URL.String())
		if v.stop != "" && strings.HasPrefix(r.URL.String(), v.stop) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return v
}

// page is where a visitor ended.
type page struct {
	at     *url.URL
	status int
	body   string
	header http.Header
}

func (v *visitor) do(method, address string, form url.Values, accept string) page {
	v.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = v.base + address
	}
	r, err := http.NewRequestWithContext(v.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Accept", accept)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	}
	response, err := v.http.Do(r)
	if err != nil {
		v.t.Fatalf("%s %s: %v", method, address, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return page{at: response.Request.URL, status: response.StatusCode, body: string(body), header: response.Header}
}

func (v *visitor) get(address string) page {
	v.t.Helper()
	return v.do("GET", address, nil, "text/html")
}

// api asks as a script does.
func (v *visitor) api(address string) page {
	v.t.Helper()
	return v.do("GET", address, nil, "application/json")
}

func (v *visitor) post(address string, form url.Values) page {
	v.t.Helper()
	return v.do("POST", address, form, "text/html")
}

// as chooses an account at the issuer, when it asks, and returns where that leads.
func (v *visitor) as(account string, p page) page {
	v.t.Helper()
	if !strings.HasPrefix(p.at.Path, "/choose/") {
		return p
	}
	return v.post(p.at.String(), url.Values{"account": {account}})
}

// signIn goes to an issuer and comes back as that account.
func (v *visitor) signIn(provider, account string) page {
	v.t.Helper()
	return v.as(account, v.get("/account/sign-in/"+provider+"?return=/conversations/x"))
}

// until stops before the way back into the product, and returns the address of that.
func (v *visitor) until(provider, account string) string {
	v.t.Helper()
	v.stop = v.base + "/api/auth/"
	defer func() { v.stop = "" }()
	v.signIn(provider, account)
	return v.way[len(v.way)-1]
}

// who is the id and the address of whoever is signed in.
func (v *visitor) who() (id, email string) {
	v.t.Helper()
	a := v.api("/api/users/me")
	if a.status != http.StatusOK {
		return "", ""
	}
	found := regexp.MustCompile(`"id":"([^"]+)","email":"([^"]+)"`).FindStringSubmatch(a.body)
	if found == nil {
		v.t.Fatalf("no user in %s", a.body)
	}
	return found[1], found[2]
}

// link links an identity of a provider, as the page does.
func (v *visitor) link(provider, account string) page {
	v.t.Helper()
	p := v.post("/account/identities/link", url.Values{"provider": {provider}})
	_, to, found := strings.Cut(p.header.Get("Refresh"), "url=")
	if !found {
		return p
	}
	return v.as(account, v.get(to))
}
