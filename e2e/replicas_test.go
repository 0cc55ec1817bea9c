package e2e_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

// revocation is the promise: whatever lives long ends within this time on every replica.
const revocation = 2 * time.Second

func TestLogoutOnOneReplicaEndsTokensAndSocketsOnTheOther(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*testing.T, *pair){
		"with the replicas connected":          func(*testing.T, *pair) {},
		"with the notification cut in between": func(t *testing.T, p *pair) { p.cutListeners(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPair(t)
			user := signedUp(t, p.first.url)
			id := user.create("")
			elsewhere := *user
			elsewhere.base = p.second.url
			elsewhere.want(http.StatusOK, elsewhere.get("/api/auth/users/me"))
			socket := elsewhere.socket("/sockets/events/" + id + "?resend_mode=all")
			readUntil(t, socket, "full_state")

			before(t, p)
			user.want(http.StatusNoContent, user.send("POST", "/api/auth/jwt/logout", nil, ""))
			if code := closeCode(t, socket, revocation); code != 4001 {
				t.Errorf("the socket closed with %d, want 4001", code)
			}
			within(t, revocation, "the token ends", func() error {
				for _, path := range []string{"/api/auth/users/me", "/api/conversations/search"} {
					if status := elsewhere.get(path).status; status != http.StatusUnauthorized {
						return fmt.Errorf("%s answers %d", path, status)
					}
				}
				return nil
			})
		})
	}
}

func TestThreeReplicasStartingAtOnceOnAnEmptyDatabaseAllComeUp(t *testing.T) {
	t.Parallel()
	url := dbtest.Empty(t)
	started := make(chan *instance, 3)
	for range 3 {
		go func() { started <- tryStart(t, map[string]string{"DATABASE_URL": url}) }()
	}
	for range 3 {
		if i := <-started; i == nil {
			t.Error("a replica did not come up")
		}
	}
}
