package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// contender is one of the teams that want the same id, as it is seen on both replicas.
type contender struct {
	*client
	replicas []string
	statuses map[int]int // of the answers so far
}

// TestOfTwoHundredCreatesOfOneIdExactlyOneTeamOwnsIt has two teams ask for the same id on two replicas at once. A request beyond a
// team's share of starts is sent again, as its answer says.
func TestOfTwoHundredCreatesOfOneIdExactlyOneTeamOwnsIt(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	replicas := []string{p.first.url, p.second.url}
	teams := []*contender{{signedUp(t, p.first.url), replicas, nil}, {signedUp(t, p.first.url), replicas, nil}}
	body := newTalk()
	id := uuid.NewString()
	body["conversation_id"] = id

	compete(t, teams, body, 100)
	winner, loser := teams[0], teams[1]
	if loser.statuses[http.StatusCreated] > 0 {
		winner, loser = loser, winner
	}
	t.Logf("the owner got %v, the other team %v", winner.statuses, loser.statuses)
	if winner.statuses[http.StatusCreated] != 1 || !only(winner.statuses, http.StatusCreated, http.StatusOK, http.StatusConflict) {
		t.Errorf("the owner's answers are %v, want one 201, else 200 and 409", winner.statuses)
	}
	if !only(loser.statuses, http.StatusConflict) {
		t.Errorf("the other team's answers are %v, want nothing but 409", loser.statuses)
	}
	for _, base := range replicas {
		owns(t, winner.client, base, id)
		knowsNothing(t, loser.client, base, id)
	}
	var owner, state string
	err := openDatabase(t, p.first).QueryRowContext(t.Context(), `
		SELECT team_id, state
		  FROM conversations`).Scan(&owner, &state)
	if err != nil || owner != personalTeam(t, p.first, winner.email) || state != "live" {
		t.Errorf("the row is of team %s and %s (%v), want it live and the winner's", owner, state, err)
	}
	for _, i := range []*instance{p.first, p.second} {
		ranCleanly(t, i)
	}
}

// compete sends n creates of each team at the same moment and waits for the last answer.
func compete(t *testing.T, teams []*contender, body map[string]any, n int) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	begin := make(chan struct{})
	for _, c := range teams {
		c.statuses = map[int]int{}
		for k := range n {
			at := *c.client
			at.base = c.replicas[k%len(c.replicas)]
			all.Go(func() {
				<-begin
				status, err := at.insist("POST", "/api/conversations", body)
				mu.Lock()
				defer mu.Unlock()
				c.statuses[status]++
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	close(begin)
	all.Wait()
}

// insist sends a request again as long as the answer is that there are too many. It is for goroutines.
func (c *client) insist(method, path string, body any) (status int, err error) {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
		a, err := c.try(c.t.Context(), method, path, jsonBody(body), "application/json")
		if err != nil || a.status != http.StatusTooManyRequests {
			return a.status, err
		}
		select {
		case <-c.t.Context().Done():
			return 0, c.t.Context().Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return 0, fmt.Errorf("%s %s: after two minutes there are still too many", method, path)
}

// only says whether no other status was answered.
func only(statuses map[int]int, allowed ...int) bool {
	total, counted := 0, 0
	for _, n := range statuses {
		total += n
	}
	for _, status := range allowed {
		counted += statuses[status]
	}
	return total == counted
}

// owns checks that somebody reads and lists a conversation.
func owns(t *testing.T, c *client, base, id string) {
	t.Helper()
	at := *c
	at.base = base
	at.want(http.StatusOK, at.get("/api/conversations/"+id))
	if list := at.want(http.StatusOK, at.get("/api/conversations/search")).body; strings.Count(list, `"id":"`+id+`"`) != 1 {
		t.Errorf("its owner's list has it %d times, want once", strings.Count(list, `"id":"`+id+`"`))
	}
}

// knowsNothing checks that for somebody a conversation neither exists nor can come to exist.
func knowsNothing(t *testing.T, c *client, base, id string) {
	t.Helper()
	at := *c
	at.base = base
	for _, path := range []string{"", "/events/search", "/workspace/x"} {
		at.want(http.StatusNotFound, at.get("/api/conversations/"+id+path))
	}
	if list := at.want(http.StatusOK, at.get("/api/conversations/search")).body; strings.Contains(list, id) {
		t.Errorf("the other team's list has it: %.300s", list)
	}
	if batch := at.want(http.StatusOK, at.get("/api/conversations?ids="+id)).body; strings.TrimSpace(batch) != "[null]" {
		t.Errorf("the other team's batch is %.300s, want [null]", batch)
	}
	if said := closing(t, at.socket("/sockets/events/"+id), 5*time.Second); said.Code != 4004 {
		t.Errorf("the other team's socket closed with %v, want 4004", said)
	}
}

// personalTeam looks up somebody's team behind the scenes.
func personalTeam(t *testing.T, server *instance, email string) (team string) {
	t.Helper()
	err := openDatabase(t, server).QueryRowContext(t.Context(), `
		SELECT members.team_id
		  FROM team_members AS members
		  JOIN users ON users.id = members.user_id
		 WHERE users.email = $1`, email).Scan(&team)
	if err != nil {
		t.Fatal(err)
	}
	return team
}

// ranCleanly checks that the race detector had nothing to say.
func ranCleanly(t *testing.T, server *instance) {
	t.Helper()
	if _, report, raced := strings.Cut(server.Log(), "WARNING: DATA RACE"); raced {
		t.Errorf("the product has a data race:%.4000s", report)
	}
}
