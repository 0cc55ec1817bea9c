package doctor_test

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/doctor"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/sealed"
)

func TestAHealthyInstallationHasNoProblemAndIsLeftAsItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.installation(t)
	c.Database = &doctor.Database{URL: dbtest.URL(t)}
	for _, f := range examine(t, c) {
		if f.State != doctor.OK || f.Do != "" {
			t.Errorf("%+v", f)
		}
	}
	for _, method := range w.asked {
		if method != http.MethodGet {
			t.Errorf("the upstream was asked to %s", method)
		}
	}
}

func TestTheFindingsAreWrittenAndAProblemIsAnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]http.HandlerFunc{"GET /readyz": status(503)})
	c := w.installation(t)
	c.Model.Name = ""
	var out strings.Builder
	err := doctor.Run(t.Context(), c, &out)
	if err == nil || err.Error() != "1 check found a problem" {
		t.Errorf("%v", err)
	}
	for _, want := range []string{
		"ok       configuration: complete\n",
		"note     model: there is none for everybody: people must bring a key of their own\n         do: set OPERATOR_LLM_MODEL",
		"problem  readiness: GET /readyz answers 503: the running server does not reach its database\n         do: look at",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
	if err := doctor.Run(t.Context(), newWorld(t, nil).installation(t), &out); err != nil {
		t.Errorf("all is well, and yet: %v", err)
	}
}

func TestWhatIsUnsoundIsLeftOutWithAWord(t *testing.T) {
	t.Parallel()
	found := examine(t, doctor.Config{Problems: []string{"UPSTREAM_URL: set it"}, Notices: []string{"PUBLIC_URL is http."}})
	if f := finding(t, found, "configuration"); f.State != doctor.Problem || f.Text != "UPSTREAM_URL: set it" {
		t.Errorf("%+v", f)
	}
	for _, check := range []string{"database", "upstream", "UI", "model", "address", "admin listener"} {
		if f := finding(t, found, check); f.State != doctor.Skipped || !strings.Contains(f.Text, "correct those first") {
			t.Errorf("%+v", f)
		}
	}
	if !slices.ContainsFunc(found, func(f doctor.Finding) bool { return f.State == doctor.Note && f.Text == "PUBLIC_URL is http." }) {
		t.Errorf("the notice is missing: %+v", found)
	}
}

func TestWhatStandsBehindAFaultIsSaidToBeLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.installation(t)
	c.Database = &doctor.Database{DataDir: t.TempDir()}
	w.upstream.Close()
	w.saas.Close()
	found := examine(t, c)
	for _, check := range []string{"migrations, vault, notifications, clock", "upstream's version, operations, key, WebSocket, workspace root", "readiness, WebSocket, cookie, paths, transport"} {
		if f := finding(t, found, check); f.State != doctor.Skipped {
			t.Errorf("%+v", f)
		}
	}
	other := newWorld(t, nil).installation(t)
	other.Upstream.Key = modelKey
	if f := finding(t, examine(t, other), "upstream's WebSocket, workspace root"); f.State != doctor.Skipped {
		t.Errorf("%+v", f)
	}
}

// failing is a fault and what must be said about it.
type failing struct {
	name    string
	answers map[string]http.HandlerFunc
	spoil   func(*world, *doctor.Config)
	check   string
	state   doctor.State
	text    string
	do      string
}

func (f failing) run(t *testing.T) {
	t.Parallel()
	w := newWorld(t, f.answers)
	c := w.installation(t)
	if f.spoil != nil {
		f.spoil(w, &c)
	}
	got := finding(t, examine(t, c), f.check)
	if got.State != f.state || !strings.Contains(got.Text, f.text) || !strings.Contains(got.Do, f.do) || got.Do == "" {
		t.Errorf("%+v\nwant %s, %q, do %q", got, f.state, f.text, f.do)
	}
}

func at(route string, answer http.HandlerFunc) map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{route: answer}
}

func TestEveryFaultOfTheDatabaseSaysWhatToDo(t *testing.T) {
	t.Parallel()
	database := func(url string) func(*world, *doctor.Config) {
		return func(_ *world, c *doctor.Config) {
			c.Database, c.Patience = &doctor.Database{URL: url}, time.Second
			c.Secrets = append(c.Secrets, "pa55word")
		}
	}
	gone, err := url.Parse(dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	gone.Path = "/gone"
	for _, f := range []failing{
		{"nobody there", nil, database("postgres://u:pa55word@127.0.0.1:1/x?sslmode=disable"), "database", doctor.Problem, "did not answer", "DATABASE_URL"},
		{"no such database", nil, database(gone.String()), "database", doctor.Problem, "does not exist", "openhands-saas serve"},
		{"an unreadable URL", nil, database("postgres://u:pa55word@[::1"), "database", doctor.Problem, "cannot be read", "DATABASE_URL"},
		{"an embedded one that was never made", nil, func(_ *world, c *doctor.Config) { c.Database = &doctor.Database{DataDir: t.TempDir()} },
			"database", doctor.Note, "does not exist yet", "DATA_DIR"},
		{"a clock that is off", nil, func(_ *world, c *doctor.Config) {
			c.Database = &doctor.Database{URL: dbtest.URL(t)}
			c.Now = func() time.Time { return time.Now().Add(-time.Minute) }
		},
			"clock", doctor.Problem, "1m0s from ours", "NTP"},
	} {
		t.Run(f.name, f.run)
	}
}

// What a server does not do is shown by a database in which functions of ours stand before its own.
func TestAServerThatIsTooOldOrSwallowsNotificationsIsNamed(t *testing.T) {
	t.Parallel()
	shadowed := func(function string) func(*world, *doctor.Config) {
		return func(_ *world, c *doctor.Config) {
			c.Database, c.Patience = &doctor.Database{URL: dbtest.URL(t)}, 2*time.Second
			run(t, c.Database.URL, `CREATE SCHEMA shadow; CREATE FUNCTION shadow.`+function)
			c.Database.URL += "&search_path=shadow,pg_catalog,public"
		}
	}
	for _, f := range []failing{
		{"too old", nil, shadowed(`current_setting(text) RETURNS text LANGUAGE sql AS $$SELECT '130009'$$`), "database", doctor.Problem, "too old", "14"},
		{"without notifications", nil, shadowed(`pg_notify(text, text) RETURNS void LANGUAGE sql AS $$$$`), "notifications", doctor.Problem, "does not arrive", "session mode"},
		{"without a clock", nil, shadowed(`clock_timestamp() RETURNS text LANGUAGE sql AS $$SELECT 'late'$$`), "clock", doctor.Problem, "Scan", "log"},
		{"embedded, and damaged", nil, func(_ *world, c *doctor.Config) {
			c.Database = &doctor.Database{DataDir: t.TempDir()}
			write(t, c.Database.DataDir, "postgres/base", "")
		}, "database", doctor.Problem, "PG_VERSION is missing", "follow the message"},
	} {
		t.Run(f.name, f.run)
	}
}

func TestMigrationsThatAreMissingOrNewerAreNamed(t *testing.T) {
	t.Parallel()
	c := newWorld(t, nil).installation(t)
	c.Database = &doctor.Database{URL: dbtest.URL(t)}
	exec := func(statement string) {
		t.Helper()
		run(t, c.Database.URL, statement)
	}
	exec(`INSERT INTO schema_migrations (id, applied_at) VALUES ('9999_tomorrow.sql', now())`)
	if f := finding(t, examine(t, c), "migrations"); f.State != doctor.Note || !strings.Contains(f.Text, "9999_tomorrow.sql") || f.Do == "" {
		t.Errorf("%+v", f)
	}
	exec(`DELETE FROM schema_migrations WHERE id IN ('9999_tomorrow.sql', (SELECT min(id) FROM schema_migrations))`)
	if f := finding(t, examine(t, c), "migrations"); f.State != doctor.Problem || !strings.Contains(f.Text, "0001") || !strings.Contains(f.Do, "migrate up") {
		t.Errorf("%+v", f)
	}
}

func TestTheVaultsKeysAreHeldToWhatIsSealed(t *testing.T) {
	t.Parallel()
	c := newWorld(t, nil).installation(t)
	c.Database = &doctor.Database{URL: dbtest.URL(t)}
	vault := func(state doctor.State, text string) {
		t.Helper()
		if f := finding(t, examine(t, c), "vault"); f.State != state || !strings.Contains(f.Text, text) {
			t.Errorf("%+v", f)
		}
	}
	vault(doctor.OK, "nothing is sealed yet")
	if _, err := os.Stat(c.Vault.File); err == nil {
		t.Error("keys were made")
	}
	ring, text, err := sealed.New()
	if err != nil {
		t.Fatal(err)
	}
	run(t, c.Database.URL, fmt.Sprintf(`
		WITH team AS (INSERT INTO teams (id, name) VALUES (gen_random_uuid(), 'team') RETURNING id)
		INSERT INTO vault_documents (id, team_id, kind, sealed, key_ids)
		SELECT gen_random_uuid(), id, 'settings', '{"/a":"AQID"}', '{%d}' FROM team`, ring.Primary()))
	vault(doctor.Problem, fmt.Sprintf("key %d is missing, and with it the secrets of 1 documents", ring.Primary()))
	c.Vault.Text = string(text)
	vault(doctor.OK, "its keys are there")
	c.Vault.Text = "pa55word"
	vault(doctor.Problem, "no keyset")
}

func TestEveryFaultOfTheUpstreamSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for _, f := range []failing{
		{"nobody there", nil, func(w *world, _ *doctor.Config) { w.upstream.Close() }, "upstream", doctor.Problem, "does not answer", "UPSTREAM_URL"},
		{"somebody else", at("GET /server_info", body("<html>")), nil, "upstream", doctor.Problem, "no agent-server", "UPSTREAM_URL"},
		{"no such path", at("GET /server_info", status(404)), nil, "upstream", doctor.Problem, "404", "UPSTREAM_URL"},
		{"no version", at("GET /server_info", body(`{}`)), nil, "upstream's version", doctor.Problem, "does not say", "upgrade"},
		{"too old", at("GET /server_info", body(`{"version": "1.27.3"}`)), nil, "upstream's version", doctor.Problem, "1.27.3 is older than 1.28.0", "1.49.1"},
		{"untested", at("GET /server_info", body(`{"version": "1.40.0"}`)), nil, "upstream's version", doctor.Note, "1.40.0 was not tested", "1.49.1"},
		{"too new", at("GET /server_info", body(`{"version": "1.50.0"}`)), nil, "upstream's version", doctor.Note, "1.50.0 is newer than 1.49.1", "newer openhands-saas"},
		{"a version that is our key", at("GET /server_info", body(`{"version": "`+upstreamKey+`"}`)), nil, "upstream's version", doctor.Note, "(secret) was not tested", "1.49.1"},
		{"unknown operations", at("GET /openapi.json", body(`{"paths": {"/api/new": {"post": {}}}}`)), nil, "upstream's operations", doctor.Note, "denied: POST /api/new", "newer openhands-saas"},
		{"no list of operations", at("GET /openapi.json", status(404)), nil, "upstream's operations", doctor.Note, "denied all the same", "/openapi.json"},
		{"another key", nil, func(_ *world, c *doctor.Config) { c.Upstream.Key = modelKey }, "upstream's key", doctor.Problem, "refuses UPSTREAM_API_KEY (401)", "session_api_keys"},
		{"no key at all", at("GET /api/conversations/count", body("0")), nil, "upstream's key", doctor.Problem, "asks for none", "session_api_keys"},
		{"a failing upstream", at("GET /api/conversations/count", status(500)), nil, "upstream's key", doctor.Problem, "500", "log"},
		{"upgrades that do not reach it", at("GET /sockets/", status(403)), nil, "upstream's WebSocket", doctor.Problem, "does not come through (it is answered by 403)", "between"},
		{"frames that do not reach it", at("GET /sockets/", closing(0)), nil, "upstream's WebSocket", doctor.Problem, "no frame", "between"},
		{"a socket that wants another key", at("GET /sockets/", closing(4001)), nil, "upstream's WebSocket", doctor.Problem, "refuses UPSTREAM_API_KEY", "between"},
		{"a socket that is closed for another reason", at("GET /sockets/", closing(1013)), nil, "upstream's WebSocket", doctor.Note, "1013 instead of 4004", "log"},
		{"no such root", at("GET /api/file/search_subdirs", status(404)), nil, "workspace root", doctor.Problem, "/srv/ws does not exist", "UPSTREAM_WORKSPACE_ROOT"},
		{"a root that is a file", at("GET /api/file/search_subdirs", status(400)), nil, "workspace root", doctor.Problem, "/srv/ws is no folder", "UPSTREAM_WORKSPACE_ROOT"},
		{"a root that may not be read", at("GET /api/file/search_subdirs", status(403)), nil, "workspace root", doctor.Problem, "may not read /srv/ws", "UPSTREAM_WORKSPACE_ROOT"},
		{"a root that fails", at("GET /api/file/search_subdirs", status(500)), nil, "workspace root", doctor.Problem, "500", "log"},
	} {
		t.Run(f.name, f.run)
	}
}

func TestTheMountMustBeTheRootItself(t *testing.T) {
	t.Parallel()
	holding := func(names ...string) string {
		dir := t.TempDir()
		for _, name := range names {
			write(t, dir, name+"/file", "")
		}
		return dir
	}
	for _, c := range []struct {
		name, there, mount, text string
		state                    doctor.State
	}{
		{"the same", `[{"name": "teams"}]`, holding("teams"), "the same folders", doctor.OK},
		{"both fresh", `[]`, holding(), "the same folders", doctor.OK},
		{"an empty mount point", `[{"name": "teams"}]`, holding(), "teams is in the root over there and not here", doctor.Problem},
		{"another folder", `[]`, holding("home"), "holds some", doctor.Problem},
		{"no folder", `[]`, "/nonexistent", "cannot be read", doctor.Problem},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, at("GET /api/file/search_subdirs", body(`{"items": `+c.there+`}`)))
			installation := w.installation(t)
			installation.Upstream.WorkspaceMount = c.mount
			if f := finding(t, examine(t, installation), "workspace mount"); f.State != c.state || !strings.Contains(f.Text, c.text) {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestEveryFaultOfTheUISaysWhatToDo(t *testing.T) {
	t.Parallel()
	frontend := func(files ...string) func(*world, *doctor.Config) {
		return func(_ *world, c *doctor.Config) {
			c.Frontend.Dir = t.TempDir()
			for i := 0; i < len(files); i += 2 {
				write(t, c.Frontend.Dir, files[i], files[i+1])
			}
		}
	}
	for _, f := range []failing{
		{"an empty folder", nil, frontend(), "UI", doctor.Problem, "cannot be read", "FRONTEND_DIR"},
		{"half a build", nil, frontend("index.html", `<head><script src="/assets/a.js"></script>`), "UI", doctor.Problem, "assets/a.js", "FRONTEND_DIR"},
		{"another page", nil, frontend("index.html", "<p>hello"), "UI", doctor.Problem, "names no script", "FRONTEND_DIR"},
		{"a build without its editor", nil, frontend(
			"index.html", `<head><script src="/assets/a.js"></script>`, "assets/a.js", "",
			"assets/b.js", "vs:`https://cdn.jsdelivr.net/npm/monaco-editor@9.8.7/min/vs`",
		), "UI", doctor.Note, "shows no text", "monaco-editor@9.8.7/min/vs below FRONTEND_DIR"},
	} {
		t.Run(f.name, f.run)
	}
	var whole doctor.Config
	whole.Frontend = &doctor.Frontend{}
	frontend("index.html", `<head><script src="/assets/a.js"></script>`, "assets/a.js", "vs:`https://cdn.jsdelivr.net/npm/monaco-editor@9.8.7/min/vs`",
		"monaco-editor@9.8.7/min/vs/loader.js", "")(nil, &whole)
	if f := finding(t, examine(t, whole), "UI"); f.State != doctor.OK {
		t.Errorf("with its editor: %+v", f)
	}
	if f := finding(t, examine(t, doctor.Config{Frontend: &doctor.Frontend{}}), "UI"); f.State != doctor.OK {
		t.Errorf("none is served on purpose: %+v", f)
	}
}

func TestEveryFaultOnTheWayOfPeopleSaysWhatToDo(t *testing.T) {
	t.Parallel()
	with := func(change func(*http.Cookie)) map[string]http.HandlerFunc {
		c := http.Cookie{Name: "openhands_session", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
		change(&c)
		return at("POST /api/auth/logout", cookie(c))
	}
	secure := func(c *http.Cookie) { c.Name, c.Secure = "__Host-openhands_session", true }
	for _, f := range []failing{
		{"nobody there", nil, func(w *world, _ *doctor.Config) { w.saas.Close() }, "address", doctor.Problem, "nothing answers", "serve"},
		{"nobody there, and nobody asked", nil, func(w *world, c *doctor.Config) { w.saas.Close(); c.Public.Asked = false }, "address", doctor.Note, "nothing answers", "--url"},
		{"somebody else", at("GET /healthz", body("hello")), nil, "address", doctor.Problem, "not openhands-saas", "proxy"},
		{"a proxy without us", at("GET /healthz", status(502)), nil, "address", doctor.Problem, "502", "proxy"},
		{"a redirect", at("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://example.org/?t=pa55word", http.StatusFound)
		}), nil,
			"address", doctor.Problem, "redirects to https://example.org", "PUBLIC_URL"},
		{"a server without its database", at("GET /readyz", status(503)), nil, "readiness", doctor.Problem, "503", "log"},
		{"upgrades that are swallowed", at("GET /sockets/", status(426)), nil, "WebSocket", doctor.Problem, "426", "Upgrade"},
		{"upgrades that are refused", at("GET /sockets/", status(400)), nil, "WebSocket", doctor.Problem, "400", "/sockets/"},
		{"too many that wait", at("GET /sockets/", status(429)), nil, "WebSocket", doctor.Problem, "429", "try again"},
		{"frames that do not come through", at("GET /sockets/", closing(0)), nil, "WebSocket", doctor.Problem, "no frame", "proxy"},
		{"another close code", at("GET /sockets/", closing(1011)), nil, "WebSocket", doctor.Problem, "1011 instead of 4001", "log"},
		{"another site", at("POST /api/auth/logout", status(403)), nil, "cookie", doctor.Problem, "another site", "PUBLIC_URL"},
		{"a sign-out that fails", at("POST /api/auth/logout", status(500)), nil, "cookie", doctor.Problem, "500", "proxy"},
		{"a cookie that is lost", at("POST /api/auth/logout", status(204)), nil, "cookie", doctor.Problem, "does not arrive", "Set-Cookie"},
		{"a domain", with(func(c *http.Cookie) { c.Domain = "example.org" }), nil, "cookie", doctor.Problem, "changed on the way", "proxy_cookie_domain"},
		{"another path", with(func(c *http.Cookie) { c.Path = "/app" }), nil, "cookie", doctor.Problem, "changed on the way", "Set-Cookie"},
		{"for scripts", with(func(c *http.Cookie) { c.HttpOnly = false }), nil, "cookie", doctor.Problem, "changed on the way", "Set-Cookie"},
		{"half secure", with(func(c *http.Cookie) { c.Secure = true }), nil, "cookie", doctor.Problem, "changed on the way", "Set-Cookie"},
		{"secure at http", with(secure), nil, "cookie", doctor.Problem, "browsers refuse it", "https"},
		{"secure at http, but meant for https", with(secure), func(_ *world, c *doctor.Config) { c.Public.PublicURL = "https://example.org" },
			"cookie", doctor.Note, "for people at https://example.org", "--url https://example.org"},
		{"a server with another configuration", nil, func(_ *world, c *doctor.Config) { c.Public.PublicURL = "https://example.org" },
			"cookie", doctor.Note, "another PUBLIC_URL", "restart"},
		{"paths that are rewritten", at("GET /api/%73ettings", status(401)), nil, "paths", doctor.Note, "rewrites", "proxy_pass"},
	} {
		t.Run(f.name, f.run)
	}
}

func TestEveryFaultOfTheAdminListenerSaysWhatToDo(t *testing.T) {
	t.Parallel()
	ill := `{"checks": [{"name": "database", "state": "ok", "detail": ""}, {"name": "notifications", "state": "failed", "detail": "no heartbeat"}]}`
	for _, f := range []failing{
		{"nobody there", nil, func(w *world, _ *doctor.Config) { w.admin.Close() }, "admin listener", doctor.Note, "nothing answers", "serve"},
		{"no socket", nil, func(_ *world, c *doctor.Config) { c.Admin.Listen = "/nonexistent/admin.sock" }, "admin listener", doctor.Note, "nothing answers at /nonexistent/admin.sock", "account"},
		{"somebody else", at("GET /admin/readyz", body("hello")), nil, "admin listener", doctor.Problem, "not openhands-saas", "ADMIN_LISTEN"},
		{"the main listener", at("GET /admin/readyz", body(`{"status": "ready"}`)), nil, "admin listener", doctor.Problem, "not openhands-saas", "ADMIN_LISTEN"},
		{"a check that fails", at("GET /admin/readyz", body(ill)), nil, "admin listener", doctor.Problem, "check of its notifications: failed: no heartbeat", "log"},
		{"a door that is open", nil, func(_ *world, c *doctor.Config) { c.Admin.Listen = "0.0.0.0:1" }, "admin listener", doctor.Note, "open to other machines", "127.0.0.1"},
	} {
		t.Run(f.name, f.run)
	}
	if f := finding(t, examine(t, doctor.Config{Admin: &doctor.Admin{}}), "admin listener"); f.State != doctor.OK {
		t.Errorf("there is none on purpose: %+v", f)
	}
}

func TestAnAdminListenerOnEveryInterfaceIsAskedOnThisMachine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.installation(t)
	_, port, _ := net.SplitHostPort(c.Admin.Listen)
	c.Admin.Listen = "0.0.0.0:" + port
	found := examine(t, c)
	if last := found[len(found)-1]; last.Check != "admin listener" || last.State != doctor.OK {
		t.Errorf("%+v", last)
	}
}

func TestHTTPSIsHeldToMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.saas.Close()
	w.saas = newTLS(t, w)
	c := w.installation(t)
	c.Public.Insecure = false
	if f := finding(t, examine(t, c), "address"); f.State != doctor.Problem || !strings.Contains(f.Text, "certificate") || !strings.Contains(f.Do, "certificate") {
		t.Errorf("a certificate that nobody vouches for: %+v", f)
	}
	c.Public.Insecure = true
	found := examine(t, c)
	if f := finding(t, found, "cookie"); f.State != doctor.Problem || !strings.Contains(f.Text, "not Secure") || !strings.Contains(f.Do, "PUBLIC_URL="+w.saas.URL) {
		t.Errorf("%+v", f)
	}
	if f := finding(t, found, "transport"); f.State != doctor.Note || !strings.Contains(f.Text, "TRUSTED_PROXIES") {
		t.Errorf("%+v", f)
	}
	if f := finding(t, found, "WebSocket"); f.State != doctor.OK {
		t.Errorf("%+v", f)
	}
	c.Public.Proxies = true
	if f := finding(t, examine(t, c), "transport"); f.State != doctor.OK {
		t.Errorf("%+v", f)
	}
}
