package e2e_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/openhands-saas/openhands-saas/e2e/relay"
	"github.com/openhands-saas/openhands-saas/e2e/stack"
)

// The size of the crowd whose requests are in flight when the process is killed.
const (
	crowdTeams = 10
	crowdEach  = 10 // of each team: as many as it may start at a time
	inFlight   = crowdTeams * crowdEach
)

// crowd is ten teams before one instance whose way to an upstream of its own can be held. Nobody else uses that upstream, so
// that every conversation there must have a row.
type crowd struct {
	t        *testing.T
	upstream *stack.Upstream
	wire     *relay.Relay
	server   *instance
	db       *sql.DB // behind the scenes of server
	people   []*client
	teams    []string // of people, in their order
	scout    *client  // of a team of its own, who goes first
	claimed  sync.Map // what was tried to be taken already, and its state then
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{t: t}
	c.upstream = ownUpstream(t, "upstream-of-"+t.Name()[:20])
	c.wire = relayTo(t, c.upstream)
	c.server = start(t, map[string]string{
		"UPSTREAM_URL":            "http://" + c.wire.Addr(),
		"UPSTREAM_API_KEY_FILE":   c.upstream.KeyFile(),
		"UPSTREAM_WORKSPACE_ROOT": c.upstream.Workspaces(),
	})
	c.db, c.scout = openDatabase(t, c.server), signedUp(t, c.server.url)
	for range crowdTeams {
		who := signedUp(t, c.server.url)
		c.people, c.teams = append(c.people, who), append(c.teams, personalTeam(t, c.server, who.email))
	}
	return c
}

// rowSeen is what the database says of a conversation.
type rowSeen struct{ team, state string }

func (c *crowd) rows() map[string]rowSeen {
	c.t.Helper()
	found, err := c.db.QueryContext(c.t.Context(), `
		SELECT id, team_id, state
		  FROM conversations`)
	if err != nil {
		c.t.Fatal(err)
	}
	defer found.Close()
	rows := map[string]rowSeen{}
	for found.Next() {
		var id string
		var row rowSeen
		if err := found.Scan(&id, &row.team, &row.state); err != nil {
			c.t.Fatal(err)
		}
		rows[id] = row
	}
	if err := found.Err(); err != nil {
		c.t.Fatal(err)
	}
	return rows
}

func (c *crowd) count(state string) (n int) {
	c.t.Helper()
	err := c.db.QueryRowContext(c.t.Context(), `
		SELECT count(*)
		  FROM conversations
		 WHERE state = $1`, state).Scan(&n)
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

func (c *crowd) rowsAre(state string, want int) error {
	c.t.Helper()
	if n := c.count(state); n != want {
		return fmt.Errorf("%d rows are %s, want %d", n, state, want)
	}
	return nil
}

// more waits until so many rows more than now are in a state.
func (c *crowd) more(state string, n int) func() error {
	c.t.Helper()
	least := c.count(state) + n
	return func() error {
		if now := c.count(state); now < least {
			return fmt.Errorf("%d rows are %s, want %d", now, state, least)
		}
		return nil
	}
}

func (c *crowd) wantRows(state string, n int) {
	c.t.Helper()
	if err := c.rowsAre(state, n); err != nil {
		c.t.Error(err)
	}
}

// live is n live conversations of each.
func (c *crowd) live(n int) map[*client][]string {
	c.t.Helper()
	found := map[*client][]string{}
	for id, row := range c.rows() {
		for k, who := range c.people {
			if c.teams[k] == row.team && row.state == "live" && len(found[who]) < n {
				found[who] = append(found[who], id)
			}
		}
	}
	for _, who := range c.people {
		if len(found[who]) < n {
			c.t.Fatalf("somebody has %d live conversations, want %d", len(found[who]), n)
		}
	}
	return found
}

func (c *crowd) oneEach() map[*client]string {
	c.t.Helper()
	one := map[*client]string{}
	for who, ids := range c.live(1) {
		one[who] = ids[0]
	}
	return one
}

// upstreamIDs asks the upstream itself, with its key, for all that it has: ids and the folders they work in.
func (c *crowd) upstreamIDs() map[string]string {
	c.t.Helper()
	found := map[string]string{}
	for query := "limit=100"; query != ""; {
		r, err := http.NewRequestWithContext(c.t.Context(), "GET", c.upstream.URL()+"/api/conversations/search?"+query, nil)
		if err != nil {
			c.t.Fatal(err)
		}
		r.Header.Set("X-Session-API-Key", c.upstream.Key())
		a, err := do(r)
		if err != nil || a.status != http.StatusOK {
			c.t.Fatalf("the upstream's list: %d %.200s (%v)", a.status, a.body, err)
		}
		var page struct {
			Items []struct {
				ID        string
				Workspace struct {
					WorkingDir string `json:"working_dir"`
				}
			}
			Next *string `json:"next_page_id"`
		}
		a.json(c.t, &page)
		for _, i := range page.Items {
			found[i.ID] = i.Workspace.WorkingDir
		}
		query = ""
		if page.Next != nil {
			query = "limit=100&page_id=" + url.QueryEscape(*page.Next)
		}
	}
	return found
}

func (c *crowd) upstreamHas(want int) error {
	if n := len(c.upstreamIDs()); n != want {
		return fmt.Errorf("the upstream has %d conversations, want %d", n, want)
	}
	return nil
}

func (c *crowd) wantUpstream(n int) {
	c.t.Helper()
	if err := c.upstreamHas(n); err != nil {
		c.t.Error(err)
	}
}
