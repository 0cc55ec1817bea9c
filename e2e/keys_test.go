package e2e_test

import (
	"fmt"
	"net/http"
	"testing"
)

// TestWhatAKeyKeepsOpenEndsWithItOnTheOtherReplica goes through the ways in which a key ends.
func TestWhatAKeyKeepsOpenEndsWithItOnTheOtherReplica(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	user := signedUp(t, p.first.url)
	team := user.field(user.want(http.StatusCreated, user.post("/api/teams/", map[string]any{"name": "Engines"})), "id")
	id := user.inTeam(team).create("")
	services := "/api/teams/" + team + "/service-accounts"
	account := user.field(user.want(http.StatusCreated, user.post(services, map[string]any{"name": "robot"})), "id")
	for name, c := range map[string]struct {
		keys string // where the key is made
		end  func(key string)
	}{
		"it is revoked": {"/api/keys", func(key string) {
			user.want(http.StatusOK, user.send("DELETE", "/api/keys/"+key, nil, ""))
		}},
		"it is rotated without an overlap": {"/api/keys", func(key string) {
			user.want(http.StatusCreated, user.post("/api/keys/"+key+"/rotate", map[string]any{"overlap_seconds": 0}))
		}},
		"the overlap is over": {"/api/keys", func(key string) {
			user.want(http.StatusCreated, user.post("/api/keys/"+key+"/rotate", map[string]any{"overlap_seconds": 1}))
		}},
		"the service account is deleted": {services + "/" + account + "/keys", func(string) {
			user.want(http.StatusOK, user.send("DELETE", services+"/"+account, nil, ""))
		}},
	} {
		made := user.want(http.StatusCreated, user.post(c.keys, map[string]any{"name": name}))
		program := newClient(t, p.second.url)
		program.token = user.field(made, "key")
		program.want(http.StatusOK, program.get("/api/conversations/"+id))
		socket := program.socket("/sockets/events/" + id + "?resend_mode=all")
		readUntil(t, socket, "full_state")
		c.end(user.field(made, "id"))
		if code := closeCode(t, socket, revocation+revocation/2); code != 4001 { // the overlap of one is a second
			t.Errorf("%s: the socket closed with %d, want 4001", name, code)
		}
		within(t, revocation, name, func() error {
			for _, path := range []string{"/api/keys/current", "/api/conversations/search"} {
				if status := program.get(path).status; status != http.StatusUnauthorized {
					return fmt.Errorf("%s answers %d", path, status)
				}
			}
			return nil
		})
	}
}
