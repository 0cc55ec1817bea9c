package e2e_test

import (
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

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

func TestALiveSocketThatLosesTheUpstreamIsToldToComeBack(t *testing.T) {
	t.Parallel()
	wire := upstreamRelay(t)
	server := start(t, map[string]string{"UPSTREAM_URL": "http://" + wire.Addr()})
	user := signedUp(t, server.url)
	id := user.create("")
	socket := user.socket("/sockets/events/" + id + "?resend_mode=all")
	readUntil(t, socket, "full_state")

	wire.Down()
	if said := closing(t, socket, 5*time.Second); !retryable(said.Code) {
		t.Errorf("the live socket closed with %v, want a code at which clients come back", said)
	}
	if said := closing(t, user.socket("/sockets/events/"+id), 10*time.Second); !retryable(said.Code) {
		t.Errorf("a new socket closed with %v, want a code at which clients come back", said)
	}
	wire.Up()
	readUntil(t, user.socket("/sockets/events/"+id+"?resend_mode=all"), "full_state")
}

// retryable says whether a client of OpenHands comes back after this code, and a person reads that it may.
func retryable(code websocket.StatusCode) bool { return code >= 1012 && code <= 1014 }

// TestAnUpstreamThatTakesNoConnectionIsTimedOut has a listener whose queue is full, as a machine that hangs has: the
// connection is neither refused nor made.
func TestAnUpstreamThatTakesNoConnectionIsTimedOut(t *testing.T) {
	t.Parallel()
	server := start(t, map[string]string{"UPSTREAM_URL": "http://" + deafListener(t)})
	user := signedUp(t, server.url)
	for name, ask := range map[string]func() answer{
		"information": func() answer { return user.get("/server_info") },
		"a create":    func() answer { return user.post("/api/conversations", newTalk()) },
	} {
		a := user.want(http.StatusGatewayTimeout, ask())
		if a.header.Get("Retry-After") == "" || !strings.Contains(a.body, `"detail"`) {
			t.Errorf("%s: the answer is %q with headers %v", name, a.body, a.header)
		}
	}
	user.want(http.StatusOK, user.get("/api/auth/users/me"))
	user.want(http.StatusOK, user.page("/account/login"))
	if list := user.want(http.StatusOK, user.get("/api/conversations/count")).body; list != "0" {
		t.Errorf("after a create that was never answered there are %s conversations, want 0", list)
	}
}

// deafListener is the address of a listener that accepts nothing and whose queue is full.
func deafListener(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", bound.(*syscall.SockaddrInet4).Port)
	for {
		waiting, err := net.DialTimeout("tcp", address, 300*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { _ = waiting.Close() })
	}
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
		state   string
		status  int
	}{
		"after the upstream created it": {func(r *relay.Relay) { r.Changes.Close() }, true, "live", http.StatusOK},
		"before the upstream was asked": {func(r *relay.Relay) { r.Requests.Close() }, false, "failed", http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire := upstreamRelay(t)
			server := start(t, map[string]string{"UPSTREAM_URL": "http://" + wire.Addr()})
			owner, other := signedUp(t, server.url), signedUp(t, server.url)
			body := newTalk()

			owner.want(http.StatusOK, owner.get("/api/settings")) // the upstream's schemas are asked for once
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
			wire.Changes.Open()
			wire.Up()

			expireLease(t, server, id)
			server = server.restart(t)
			settled(t, server, id, c.state) // without anybody asking for it
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
	db := openDatabase(t, server)
	within(t, 20*time.Second, "an id is reserved", func() error {
		return db.QueryRowContext(t.Context(), `SELECT id FROM conversations WHERE state = 'reserved'`).Scan(&id)
	})
	return id
}

// expireLease makes a reservation as old as one that nobody can still be working on.
func expireLease(t *testing.T, server *instance, id string) {
	t.Helper()
	result, err := openDatabase(t, server).ExecContext(t.Context(), `
		UPDATE conversations
		   SET lease_expires_at = now() - interval '1 minute'
		 WHERE id = $1 AND state = 'reserved'`, id)
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := result.RowsAffected(); err != nil || rows != 1 {
		t.Fatalf("%d reservations were aged, want 1: %v", rows, err)
	}
}

// settled waits until a reservation has become something.
func settled(t *testing.T, server *instance, id, want string) {
	t.Helper()
	db := openDatabase(t, server)
	within(t, 30*time.Second, "the reservation is settled", func() error {
		var state string
		if err := db.QueryRowContext(t.Context(), `SELECT state FROM conversations WHERE id = $1`, id).Scan(&state); err != nil {
			return err
		}
		if state != want {
			return fmt.Errorf("its state is %q, want %q", state, want)
		}
		return nil
	})
}

// openDatabase looks behind the scenes of an instance.
func openDatabase(t *testing.T, server *instance) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", server.database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
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

// TestAnUpstreamThatDoesNotAnswerIs504 takes the minute that a read may take.
func TestAnUpstreamThatDoesNotAnswerIs504(t *testing.T) {
	t.Parallel()
	wire := upstreamRelay(t)
	server := start(t, map[string]string{"UPSTREAM_URL": "http://" + wire.Addr()})
	user := signedUp(t, server.url)
	id := user.create("")

	wire.Answers.Close()
	a := user.want(http.StatusGatewayTimeout, user.get("/api/conversations/"+id))
	if a.header.Get("Retry-After") == "" || !strings.Contains(a.body, `"detail"`) {
		t.Errorf("the answer is %q with headers %v", a.body, a.header)
	}
	user.want(http.StatusOK, user.get("/api/auth/users/me"))
	wire.Answers.Open()
	user.want(http.StatusOK, user.get("/api/conversations/"+id))
}
