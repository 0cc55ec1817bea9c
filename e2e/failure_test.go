package e2e_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/e2e/relay"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

func TestWithTheUpstreamAwayOurPagesWorkAndItRecoversByItself(t *testing.T) {
	t.Parallel()
	wire := upstreamRelay(t)
	server := start(t, map[string]string{"UPSTREAM_URL": "http://" + wire.Addr()})
	user := signedUp(t, server.url)
	id := user.create("")

	wire.Down()
	a := user.want(http.StatusBadGateway, user.get("/api/conversations/"+id))
	if a.header.Get("Retry-After") == "" || !strings.Contains(a.body, `"detail"`) {
		t.Errorf("the answer is %q with headers %v", a.body, a.header)
	}
	user.want(http.StatusOK, user.get("/api/auth/users/me"))
	user.want(http.StatusOK, user.page("/account/login"))
	refused := user.post("/api/conversations", map[string]any{"agent_settings": map[string]any{}, "workspace": map[string]any{"working_dir": ""}})
	user.want(http.StatusBadGateway, refused)

	wire.Up()
	user.want(http.StatusOK, user.get("/api/conversations/"+id))
}

func TestWithTheDatabaseAwayAnswersAre503AndItRecoversByItself(t *testing.T) {
	t.Parallel()
	cluster := dbtest.NewCluster(t)
	server := start(t, map[string]string{"DATABASE_URL": cluster.URL()})
	user := signedUp(t, server.url)
	user.want(http.StatusOK, user.get("/api/auth/users/me"))

	if err := cluster.Stop(); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, "requests are refused", func() error {
		for _, path := range []string{"/api/auth/users/me", "/api/conversations/search", "/readyz"} {
			if a := user.get(path); a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, `"detail"`) {
				return fmt.Errorf("%s answers %d %.200s", path, a.status, a.body)
			}
		}
		return nil
	})
	if err := cluster.Start(); err != nil {
		t.Fatal(err)
	}
	within(t, 15*time.Second, "requests are served again", func() error {
		for _, path := range []string{"/api/auth/users/me", "/api/conversations/search"} {
			if a := user.get(path); a.status != http.StatusOK {
				return fmt.Errorf("%s answers %d %.200s", path, a.status, a.body)
			}
		}
		return nil
	})
}

// TestKilledInTheMiddleOfACreateTheIdStaysItsTeams kills the process once when the upstream has done its part and once before it was asked.
func TestKilledInTheMiddleOfACreateTheIdStaysItsTeams(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hold    func(*relay.Relay)
		created bool
		status  int
	}{
		"after the upstream created it": {func(r *relay.Relay) { r.Answers.Close() }, true, http.StatusOK},
		"before the upstream was asked": {func(r *relay.Relay) { r.Requests.Close() }, false, http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire := upstreamRelay(t)
			server := start(t, map[string]string{"UPSTREAM_URL": "http://" + wire.Addr()})
			owner, other := signedUp(t, server.url), signedUp(t, server.url)
			body := map[string]any{"agent_settings": map[string]any{}, "workspace": map[string]any{"working_dir": ""}}

			c.hold(wire)
			go func() { // it never answers
				_, _ = owner.try(t.Context(), "POST", "/api/conversations", jsonBody(body), "application/json")
			}()
			id := reservation(t, server)
			body["conversation_id"] = id
			if c.created {
				waitForUpstream(t, id)
			}
			server.kill(t)
			wire.Down()
			wire.Requests.Open()
			wire.Answers.Open()
			wire.Up()

			server = server.restart(t)
			owner.base, other.base = server.url, server.url
			other.want(http.StatusNotFound, other.get("/api/conversations/"+id))
			other.want(http.StatusConflict, other.post("/api/conversations", body))
			owner.want(c.status, owner.get("/api/conversations/"+id))
			if list := owner.get("/api/conversations/search").body; strings.Contains(list, id) != c.created {
				t.Errorf("in its owner's list: %t, want %t", !c.created, c.created)
			}
		})
	}
}

// reservation waits for the one id that is reserved.
func reservation(t *testing.T, server *instance) (id string) {
	t.Helper()
	db, err := sql.Open("postgres", server.database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	within(t, 20*time.Second, "an id is reserved", func() error {
		return db.QueryRowContext(t.Context(), `SELECT id FROM conversations WHERE state = 'reserved'`).Scan(&id)
	})
	return id
}

// waitForUpstream asks the upstream itself, with its key.
func waitForUpstream(t *testing.T, id string) {
	t.Helper()
	within(t, 30*time.Second, "the upstream has it", func() error {
		r, err := http.NewRequestWithContext(t.Context(), "GET", world.upstream.URL()+"/api/conversations/"+id, nil)
		if err != nil {
			return err
		}
		r.Header.Set("X-Session-API-Key", world.upstream.Key())
		a, err := do(r)
		if err == nil && a.status != http.StatusOK {
			err = fmt.Errorf("status %d", a.status)
		}
		return err
	})
}

func TestAStartThatCannotWorkSaysWhyAndExits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  map[string]string
		says string
	}{
		"port in use":          {map[string]string{"PORT": portOf(shared(t).url)}, "PORT"},
		"missing frontend":     {map[string]string{"FRONTEND_DIR": t.TempDir()}, "FRONTEND_DIR"},
		"weak secret":          {map[string]string{"JWT_SECRET": "short"}, "JWT_SECRET"},
		"placeholder secret":   {map[string]string{"JWT_SECRET": "your-secret-key-change-this-in-production"}, "openssl rand"},
		"unreachable database": {map[string]string{"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none?sslmode=disable"}, "database"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, output := runToEnd(t, c.env)
			if code == 0 || !strings.Contains(output, c.says) {
				t.Errorf("exit %d, output %q, want it to name %q", code, output, c.says)
			}
		})
	}
}
