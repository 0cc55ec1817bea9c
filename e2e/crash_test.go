package e2e_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestKilledWithAHundredRequestsInFlightNothingIsLostOrCanBeTaken kills the process at named steps of creates, forks and
// deletions. The process that comes after it has to make sense of what it finds.
func TestKilledWithAHundredRequestsInFlightNothingIsLostOrCanBeTaken(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	started := func(*client, int) request { return request{"POST", "/api/conversations", newTalk()} }

	// Before the upstream is asked: all become failed, and nothing exists.
	c.round("creates that the upstream never saw", c.wire.Requests.Close, started, func() error { return c.rowsAre("reserved", inFlight) })
	c.wantRows("failed", inFlight)
	c.wantUpstream(0)

	// After the upstream has done its part: all become live.
	c.round("creates that the upstream answered in vain", c.wire.Changes.Close, started, func() error { return c.upstreamHas(inFlight) })
	c.wantRows("live", inFlight)
	c.wantUpstream(inFlight)

	// Somewhere in between: some are live for their clients, some are not even reserved.
	c.round("creates at all their steps at once", nil, started, c.more("live", inFlight/4))

	// A fork's row is reserved like a create's; of its two steps at the upstream only the first was taken.
	sources := c.oneEach()
	forked := func(who *client, _ int) request {
		return request{"POST", "/api/conversations/" + sources[who] + "/fork", map[string]any{}}
	}
	lost := c.count("failed")
	before := len(c.upstreamIDs())
	c.round("forks that the upstream never saw", c.wire.Requests.Close, forked, func() error { return c.rowsAre("reserved", inFlight) })
	c.wantRows("failed", lost+inFlight)
	c.wantUpstream(before)
	c.round("forks that the upstream answered in vain", c.wire.Changes.Close, forked, func() error { return c.upstreamHas(before + inFlight) })
	c.round("forks at all their steps at once", nil, forked, c.more("live", inFlight/4))

	// The upstream deletes first: what it has no more is still its team's, which can delete it once again.
	doomed := c.live(crowdEach)
	deleted := func(who *client, k int) request {
		return request{"DELETE", "/api/conversations/" + doomed[who][k], nil}
	}
	before = len(c.upstreamIDs())
	c.round("deletions that the upstream answered in vain", c.wire.Changes.Close, deleted, func() error { return c.upstreamHas(before - inFlight) })
	c.finishDeleting(doomed)

	doomed = c.live(crowdEach)
	c.round("deletions at all their steps at once", nil, deleted, c.more("deleted", inFlight/4))
	c.finishDeleting(doomed)
}

// request is one of those in flight.
type request struct {
	method, path string
	body         any
}

// round has everybody send their requests, kills the process at the step that reached waits for, and has another one clean up.
// hold, which may be nil, keeps the requests from going on by themselves.
func (c *crowd) round(name string, hold func(), next func(*client, int) request, reached func() error) {
	c.t.Helper()
	began := time.Now()
	c.goAhead()
	if hold != nil {
		hold()
	}
	ended := c.send(next)
	within(c.t, time.Minute, name+": the step is reached", reached)
	c.server.kill(c.t)
	answered := ended()
	c.letGo()
	c.calm()
	c.age()
	ranCleanly(c.t, c.server)
	c.server = c.server.restart(c.t)
	for _, who := range append(c.people, c.scout) {
		who.base = c.server.url
	}
	within(c.t, 90*time.Second, name+": every reservation is settled", func() error { return c.rowsAre("reserved", 0) })
	c.judge(name)
	c.t.Logf("%s: %d of %d were answered, %s", name, answered, inFlight, time.Since(began).Round(time.Millisecond))
}

// goAhead has the process learn what it asks the upstream only now and then, so that what is held is held at a step of its own.
func (c *crowd) goAhead() {
	c.t.Helper()
	id := c.scout.create("")
	c.scout.want(http.StatusOK, c.scout.send("DELETE", "/api/conversations/"+id, nil, ""))
}

// send sends everybody's requests; the function returned waits until all have ended, and says how many were answered.
func (c *crowd) send(next func(*client, int) request) (ended func() (answered int)) {
	var all sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for _, who := range c.people {
		for k := range crowdEach {
			r := next(who, k)
			all.Go(func() {
				a, err := who.try(c.t.Context(), r.method, r.path, jsonBody(r.body), "application/json")
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					statuses[a.status]++
				}
			})
		}
	}
	return func() (answered int) {
		all.Wait()
		for status, n := range statuses {
			if answered += n; status >= 300 {
				c.t.Errorf("%d requests were answered with %d, want success or the end of the connection", n, status)
			}
		}
		return answered
	}
}

// letGo drops what is held, so that no request of the dead process goes on.
func (c *crowd) letGo() {
	c.wire.Down()
	c.wire.Requests.Open()
	c.wire.Changes.Open()
	c.wire.Up()
}

// calm waits until the upstream has ended what it had begun: a lease lasts longer than that.
func (c *crowd) calm() {
	c.t.Helper()
	last, since := -1, time.Now()
	within(c.t, time.Minute, "the upstream is calm", func() error {
		if n := len(c.upstreamIDs()); n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) < 2*time.Second {
			return fmt.Errorf("it has %d conversations by now", last)
		}
		return nil
	})
}

// age makes all reservations as old as those that nobody can still be working on.
func (c *crowd) age() {
	c.t.Helper()
	_, err := c.db.ExecContext(c.t.Context(), `
		UPDATE conversations
		   SET lease_expires_at = now() - interval '1 minute'
		 WHERE state = 'reserved'`)
	if err != nil {
		c.t.Fatal(err)
	}
}

// judge looks for orphans, and has every team ask for what is its neighbour's.
func (c *crowd) judge(name string) {
	c.t.Helper()
	rows := c.rows()
	for id, dir := range c.upstreamIDs() {
		row, known := rows[id]
		if !known || row.state == "failed" || row.state == "deleted" {
			c.t.Errorf("%s: %s exists and its row is %+v", name, id, row)
		}
		if !strings.HasPrefix(dir, filepath.Join(c.upstream.Workspaces(), "teams", row.team)+"/") {
			c.t.Errorf("%s: %s works in %s and its row is of team %s", name, id, dir, row.team)
		}
	}
	var all sync.WaitGroup
	for n, who := range c.people {
		all.Go(func() { c.askForThoseOf(name, c.teams[(n+1)%crowdTeams], who, rows) })
	}
	all.Wait()
}

// askForThoseOf checks that who can neither read nor claim what is a team's. It is claimed once in each of its states: there is a
// limit to what a team may start within a minute.
func (c *crowd) askForThoseOf(name, team string, who *client, rows map[string]rowSeen) {
	for id, row := range rows {
		if row.team != team {
			continue
		}
		if a, err := who.try(c.t.Context(), "GET", "/api/conversations/"+id, nil, ""); err != nil || a.status != http.StatusNotFound {
			c.t.Errorf("%s: another team reads %s: %d %.200s (%v)", name, id, a.status, a.body, err)
		}
		if _, again := c.claimed.LoadOrStore(id+row.state, true); again {
			continue
		}
		body := newTalk()
		body["conversation_id"] = id
		a, err := who.try(c.t.Context(), "POST", "/api/conversations", jsonBody(body), "application/json")
		if err != nil || a.status != http.StatusConflict {
			c.t.Errorf("%s: another team claims %s, which is %s: %d %.200s (%v)", name, id, row.state, a.status, a.body, err)
		}
	}
}

// finishDeleting has everybody delete what the crash may have left over, and checks that it is gone for ever.
func (c *crowd) finishDeleting(doomed map[*client][]string) {
	c.t.Helper()
	for who, ids := range doomed {
		for _, id := range ids {
			if a := who.send("DELETE", "/api/conversations/"+id, nil, ""); a.status != http.StatusOK && a.status != http.StatusNotFound {
				c.t.Errorf("deleting %s again answers %d %.200s", id, a.status, a.body)
			}
			who.want(http.StatusNotFound, who.get("/api/conversations/"+id))
		}
	}
	c.judge("after the last deletion")
	rows, there := c.rows(), c.upstreamIDs()
	for _, ids := range doomed {
		for _, id := range ids {
			if _, exists := there[id]; exists || rows[id].state != "deleted" {
				c.t.Errorf("%s was deleted: it exists: %t, its row is %s", id, exists, rows[id].state)
			}
		}
	}
}
