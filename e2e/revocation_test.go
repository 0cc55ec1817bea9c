package e2e_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"
)

// endings are the ways in which a right ends. Each is brought about at the first replica; code is what closes a WebSocket at the
// second. There is no route yet that changes a membership: its statements announce what they do as the product's own do.
var endings = []ending{
	{name: "the session ended", code: 4001, end: func(s *subject) {
		s.want(http.StatusNoContent, s.send("POST", "/api/auth/jwt/logout", nil, ""))
	}, again: func(s *subject) { s.login() }},
	{name: "the session is ended from another one", code: 4001, end: func(s *subject) { s.endsFromElsewhere() }, again: func(s *subject) { s.login() }},
	{name: "the user is suspended", code: 4001, end: func(s *subject) { s.first.command(s.t, "user", "suspend", s.email) }, again: func(s *subject) {
		s.first.command(s.t, "user", "reactivate", s.email)
		s.login() // nothing that ended comes back
	}},
	{name: "a superuser leaves the team", code: 4004, enters: true, end: func(s *subject) {
		s.want(http.StatusNoContent, s.send("DELETE", "/api/admin/teams/"+s.team+"/enter", nil, ""))
	}, again: func(s *subject) { s.join() }},
	{name: "the membership ended", code: 4004, end: func(s *subject) {
		s.first.change(s.t, announcing(`DELETE FROM team_members WHERE user_id = $1 AND team_id = $2 RETURNING user_id`), s.userID(), s.team)
	}, again: func(s *subject) { s.join() }},
	{name: "the conversation is deleted", code: 4004, alone: true, end: func(s *subject) {
		s.want(http.StatusOK, s.send("DELETE", "/api/conversations/"+s.talk.id, nil, ""))
	}, again: func(s *subject) { s.talk = largeTalk(s.client) }},
	{name: "anonymous use is turned off", code: 4001, alone: true, nobody: true, end: func(s *subject) {
		s.first.command(s.t, "anonymous", "off")
	}, again: func(s *subject) { s.first.command(s.t, "anonymous", "on") }},
	{name: "the role is lowered", end: func(s *subject) { s.makes("viewer") }, again: func(s *subject) { s.makes("developer") }},
	{name: "the role is raised", role: "viewer", end: func(s *subject) { s.makes("developer") }, again: func(s *subject) { s.makes("viewer") }},
	{name: "nothing ends", end: func(*subject) {}, again: func(*subject) {}},
}

type ending struct {
	name   string
	code   websocket.StatusCode // 0: who may listen still may
	role   string               // before; developer unless it says otherwise
	alone  bool                 // it has a conversation of its own
	nobody bool                 // without a credential
	enters bool                 // no member, but a superuser who entered the team
	end    func(*subject)
	again  func(*subject) // takes it back
}

// announcing adds to a statement that returns users that something about them has changed.
func announcing(statement string) string {
	return `WITH changed (id) AS (` + statement + `) SELECT pg_notify('openhands_saas', 'user:' || id) FROM changed`
}

// subject is somebody whose right ends, at the first replica, while they have all sorts of things open at others.
type subject struct {
	*client
	ending
	first *instance
	owner *client // of the team
	team  string
	talk  talk
}

// seat is what a subject has open at one replica.
type seat struct {
	*subject
	elsewhere *client
	where     string // the state of things
	socket    *websocket.Conn
	download  transfer
	upload    transfer
}

// transfer is a download or an upload that goes on until it breaks off.
type transfer struct {
	ended chan error // once: nil when it came to its end
	moved func() int64
}

// lease is how long what is open lives on while nobody can be asked about its right; what is remembered is trusted for as long as the
// last heartbeat says so, which is 1.5 s.
const lease, trust = 30 * time.Second, 1500 * time.Millisecond

// TestWhatLivesLongEndsOnEveryReplicaWhenItsRightDoes goes through all endings at a time, for each state of another replica's way to
// the database. Meanwhile two replicas have no database for longer than the lease: one test, because it is all about waiting.
func TestWhatLivesLongEndsOnEveryReplicaWhenItsRightDoes(t *testing.T) {
	t.Parallel()
	first := start(t, nil)
	all := subjects(t, first)
	second, way := startApart(t, first)
	var cut sync.WaitGroup
	for what, away := range map[string]flow{"a database that refuses connections": gone, "a database that says nothing": silent} {
		third, way := startApart(t, first)
		seats := seated(all, third, what)
		way.become(away, away)
		cut.Go(func() { outliveTheLease(t, what, seats) })
	}
	for round, c := range []struct {
		where        string
		listens, all flow
	}{
		{"the replicas are connected", flows, flows},
		{"the second cannot listen", gone, flows},
		{"the second hears nothing, and nobody says so", silent, flows},
		{"the database is away from the second for a moment", gone, gone},
	} {
		began := time.Now()
		if round > 0 {
			each(all, func(s *subject) { s.again(s) })
		}
		seats := seated(all, second, c.where)
		ready := time.Now()
		way.become(c.listens, c.all)
		each(all, func(s *subject) { s.end(s) })
		if c.all != flows {
			refusedAway(t, seats)
			way.become(flows, flows)
		}
		deadline := time.Now().Add(revocation)
		each(seats, func(s *seat) { s.judge(deadline) })
		way.become(flows, flows)
		t.Logf("%s: %s to make ready, %s", c.where, ready.Sub(began).Round(time.Millisecond), time.Since(ready).Round(time.Millisecond))
	}
	cut.Wait()
}

// outliveTheLease is for a replica that has just lost its database.
func outliveTheLease(t *testing.T, what string, seats []*seat) {
	began := time.Now()
	refusedAway(t, seats)
	deadline := began.Add(trust + lease + revocation)
	each(seats, func(s *seat) {
		if code := closeCode(t, s.socket, time.Until(deadline)); !retryable(code) {
			s.fault("the socket closed with %d, want a code at which clients come back", code)
		}
		if lived := time.Since(began); lived < lease-revocation {
			s.fault("the socket was given up after %s", lived)
		}
		s.breaksOff("download", s.download, deadline)
		s.breaksOff("upload", s.upload, deadline)
	})
	t.Logf("%s: all had ended after %s", what, time.Since(began).Round(time.Millisecond))
}

// startApart starts another replica, which reaches database and upstream by ways of its own.
func startApart(t *testing.T, first *instance) (*instance, *databaseWay) {
	t.Helper()
	way := newDatabaseWay(t, first.database)
	second := start(t, map[string]string{"DATABASE_URL": way.url, "UPSTREAM_URL": slowUpstream(t)})
	t.Cleanup(func() { way.become(flows, flows) }) // before it is stopped
	return second, way
}

// each does something for all at a time.
func each[T any](all []T, act func(T)) {
	var done sync.WaitGroup
	for _, one := range all {
		done.Go(func() { act(one) })
	}
	done.Wait()
}

// subjects are one for each ending. One signs up after the other: there is a limit to how many may do so at a time.
func subjects(t *testing.T, first *instance) []*subject {
	t.Helper()
	first.command(t, "anonymous", "on")
	owner := signedUp(t, first.url)
	team := owner.field(owner.want(http.StatusCreated, owner.post("/api/teams/", map[string]any{"name": "Team " + uuid.NewString()})), "id")
	shared := largeTalk(owner.inTeam(team))
	all := make([]*subject, len(endings))
	for i, e := range endings {
		s := &subject{ending: e, client: newClient(t, first.url), first: first, owner: owner, team: team, talk: shared}
		if !s.nobody {
			s.client = signedUp(t, first.url)
			s.client.team = team
			s.join()
		}
		if s.alone {
			s.talk = largeTalk(s.client)
		}
		all[i] = s
	}
	return all
}

// largeTalk is a new conversation with a large file, which takes no room.
func largeTalk(c *client) talk {
	c.t.Helper()
	id := c.create("")
	made := talk{id, c.workingDir(id)}
	if err := errors.Join(os.MkdirAll(made.dir, 0o755), os.WriteFile(filepath.Join(made.dir, "large"), nil, 0o644), os.Truncate(filepath.Join(made.dir, "large"), 256<<20)); err != nil {
		c.t.Fatal(err)
	}
	return made
}

func (s *subject) join() {
	s.t.Helper()
	if s.enters {
		s.enter()
		return
	}
	s.owner.want(http.StatusCreated, s.owner.post("/api/teams/"+s.team+"/members", map[string]any{"email": s.email, "role": cmp.Or(s.role, "developer")}))
}

// endsFromElsewhere ends the subject's session as its owner does who sees it in the list of another one.
func (s *subject) endsFromElsewhere() {
	s.t.Helper()
	var list struct {
		Items []struct {
			ID      string `json:"id"`
			Current bool   `json:"current"`
		} `json:"items"`
	}
	s.want(http.StatusOK, s.get("/api/auth/sessions")).json(s.t, &list)
	other := *s.client
	other.login()
	for _, session := range list.Items {
		if session.Current {
			other.want(http.StatusNoContent, other.send("DELETE", "/api/auth/sessions/"+session.ID, nil, ""))
		}
	}
}

// enter makes the subject a superuser, and has them enter the team in a new session.
func (s *subject) enter() {
	s.t.Helper()
	s.first.command(s.t, "user", "grant-admin", s.email)
	s.login()
	s.want(http.StatusCreated, s.post("/api/admin/teams/"+s.team+"/enter", map[string]any{"reason": "a test of revocation"}))
}

// makes gives the subject another role.
func (s *subject) makes(role string) {
	s.first.change(s.t, announcing(`UPDATE team_members SET role = $3 WHERE user_id = $1 AND team_id = $2 RETURNING user_id`), s.userID(), s.team, role)
}

// seated has everybody open everything at a replica.
func seated(all []*subject, replica *instance, where string) []*seat {
	seats := make([]*seat, len(all))
	for i, s := range all {
		seats[i] = &seat{subject: s, where: where}
	}
	each(seats, func(s *seat) { s.open(replica) })
	return seats
}

func (s *seat) open(replica *instance) {
	s.t.Helper()
	other := *s.client
	other.base = replica.url
	s.elsewhere = &other
	within(s.t, revocation, "the replica knows them", func() error {
		if a := other.get("/api/conversations/" + s.talk.id); a.status != http.StatusOK {
			return fmt.Errorf("%d %.200s", a.status, a.body)
		}
		return nil
	})
	s.socket = other.socket("/sockets/events/" + s.talk.id + "?resend_mode=all")
	s.says(s.t.Context(), map[string]any{"type": "auth", "session_api_key": "cookie"})
	readUntil(s.t, s.socket, "full_state")
	s.download = other.downloads("/api/conversations/" + s.talk.id + "/file/download?path=" + s.talk.dir + "/large")
	if s.role == "" {
		s.upload = other.uploads("/api/conversations/" + s.talk.id + "/file/upload?path=" + s.talk.dir + "/" + uuid.NewString())
	}
}

// says sends a frame. Whether it was taken shows in what comes back.
func (s *seat) says(ctx context.Context, message map[string]any) {
	frame, _ := io.ReadAll(jsonBody(message))
	_ = s.socket.Write(ctx, websocket.MessageText, frame)
}

func (s *seat) fault(format string, values ...any) {
	s.t.Helper()
	s.t.Errorf("%s, %s: %s", s.where, s.name, fmt.Sprintf(format, values...))
}

// judge waits for what must end, and looks whether the rest goes on.
func (s *seat) judge(deadline time.Time) {
	s.t.Helper()
	switch {
	case s.code != 0:
		if code := closeCode(s.t, s.socket, time.Until(deadline)); code != s.code {
			s.fault("the socket closed with %d, want %d", code, s.code)
		}
		s.breaksOff("download", s.download, deadline)
		s.breaksOff("upload", s.upload, deadline)
		return
	case s.name == "the role is lowered":
		s.breaksOff("upload", s.upload, deadline)
		s.hears("may read this conversation, but not write to it", deadline)
	case s.name == "the role is raised":
		s.hears("", deadline.Add(revocation)) // once it may, what is said must go to the agent-server and come back, too
	default:
		s.goesOn("upload", s.upload)
		s.hears("", deadline.Add(revocation))
	}
	s.goesOn("download", s.download)
}

// hears says something until the answer holds the text, or, when that is empty, what was said.
func (s *seat) hears(text string, deadline time.Time) {
	s.t.Helper()
	mark := uuid.NewString()
	if text == "" {
		text = mark
	}
	ctx, cancel := context.WithDeadline(s.t.Context(), deadline)
	defer cancel()
	go func() { // until then the frame may be taken, or refused, by the right that ends
		for tick := time.NewTicker(100 * time.Millisecond); ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				s.says(ctx, said(mark))
			}
		}
	}()
	for {
		_, message, err := s.socket.Read(ctx)
		if err != nil {
			s.fault("nothing with %q came: %v", text, err)
			return
		}
		if strings.Contains(string(message), text) {
			return
		}
	}
}

func (s *seat) breaksOff(what string, one transfer, deadline time.Time) {
	s.t.Helper()
	if one.ended == nil {
		return
	}
	select {
	case err := <-one.ended:
		if err == nil {
			s.fault("the %s came to its end", what)
		}
	case <-time.After(time.Until(deadline)):
		s.fault("the %s goes on", what)
	}
}

func (s *seat) goesOn(what string, one transfer) {
	s.t.Helper()
	before := one.moved()
	within(s.t, 30*time.Second, "the "+what+" goes on", func() error {
		select {
		case err := <-one.ended:
			one.ended <- err // the next look shall say so, too
			return fmt.Errorf("it ended: %w", err)
		default:
		}
		if now := one.moved(); now <= before {
			return fmt.Errorf("%d bytes came", now)
		}
		return nil
	})
}

// refusedAway waits until everybody's requests are answered with 503. The longest that one may hang is ten seconds.
func refusedAway(t *testing.T, all []*seat) {
	t.Helper()
	each(all, func(s *seat) {
		for _, path := range []string{"/api/auth/users/me", "/api/conversations/" + s.talk.id, "/api/conversations/search"} {
			if s.nobody && path == "/api/auth/users/me" {
				continue
			}
			within(t, 15*time.Second, s.name+": "+path+" is refused", func() error {
				ctx, cancel := contextWithin(t, 30*time.Second)
				defer cancel()
				a, err := s.elsewhere.try(ctx, "GET", path, nil, "")
				if err == nil && a.status != http.StatusServiceUnavailable {
					err = fmt.Errorf("%d %.200s", a.status, a.body)
				}
				return err
			})
		}
	})
}
