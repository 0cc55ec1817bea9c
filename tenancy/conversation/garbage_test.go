package conversation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	. "github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

// care is a world whose clock a test moves.
type care struct {
	*world
	now time.Time
}

func newCare(t *testing.T) *care {
	t.Helper()
	c := &care{world: newWorld(t), now: noon}
	c.Service = New(c.db, Options{Now: func() time.Time { return c.now }})
	return c
}

// dead makes and deletes a conversation of our team.
func (c *care) dead(folder string, roots ...string) uuid.UUID {
	c.t.Helper()
	made := c.make(Conversation{WorkingDir: folder, Roots: roots})
	c.must(c.Delete(c.t.Context(), made.ID, nil))
	return made.ID
}

// everything is the rule that all folders of a conversation go with it.
func everything(c Conversation) []string {
	var all []string
	for _, f := range append([]string{c.WorkingDir}, c.Roots...) {
		if f != "" {
			all = append(all, f)
		}
	}
	return all
}

func (c *care) claims(limit int) []Garbage {
	c.t.Helper()
	claimed, err := c.ClaimGarbage(c.t.Context(), limit, everything)
	c.must(err)
	return claimed
}

func (c *care) wantClaimed(want ...uuid.UUID) []Garbage {
	c.t.Helper()
	claimed := c.claims(10)
	var got []uuid.UUID
	for _, g := range claimed {
		got = append(got, g.ID)
	}
	if !slices.Equal(got, want) {
		c.t.Errorf("claimed %v, want %v", got, want)
	}
	return claimed
}

func (c *care) collected(id uuid.UUID) bool {
	c.t.Helper()
	var yes bool
	c.must(c.db.GetContext(c.t.Context(), &yes, `
		SELECT collected_at IS NOT NULL
		  FROM conversations
		 WHERE id = $1`, id))
	return yes
}

func TestFoldersAreClaimedOnceAfterTheGrace(t *testing.T) {
	t.Parallel()
	c := newCare(t)
	c.make(Conversation{WorkingDir: "/ws/alive"})
	first := c.dead("/ws/a", "/trees/a")
	c.now = noon.Add(time.Minute)
	second := c.dead("/ws/b")
	c.now = noon.Add(time.Hour - time.Second)
	c.wantClaimed()
	c.now = noon.Add(time.Hour)
	claimed := c.wantClaimed(first)
	if want := []string{"/ws/a", "/trees/a"}; !slices.Equal(claimed[0].Folders, want) || claimed[0].Attempt != 1 {
		t.Errorf("claimed %+v, want the folders %v", claimed[0], want)
	}
	c.now = noon.Add(time.Hour + time.Minute)
	c.wantClaimed(second)
	c.must(c.Collected(t.Context(), claimed[0]))
	c.now = noon.Add(30 * 24 * time.Hour)
	c.wantClaimed(second) // its first claim was never ended
	if !c.collected(first) || c.collected(second) {
		t.Error("it is recorded wrongly which were collected")
	}
}

func TestAFailedRemovalIsTriedAgainLaterEachTime(t *testing.T) {
	t.Parallel()
	c := newCare(t)
	id := c.dead("/ws/a")
	c.now = noon.Add(time.Hour)
	for attempt, minutes := range []int{5, 10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440} {
		claimed := c.wantClaimed(id)
		if claimed[0].Attempt != attempt+1 {
			t.Fatalf("attempt %d, want %d", claimed[0].Attempt, attempt+1)
		}
		c.must(c.NotCollected(t.Context(), claimed[0]))
		c.now = c.now.Add(time.Duration(minutes)*time.Minute - time.Second)
		c.wantClaimed()
		c.now = c.now.Add(time.Second)
	}
}

func TestAClaimThatNobodyEndsRunsOut(t *testing.T) {
	t.Parallel()
	c := newCare(t)
	id := c.dead("/ws/a")
	c.now = noon.Add(time.Hour)
	lost := c.wantClaimed(id)[0]
	c.now = c.now.Add(29 * time.Minute)
	c.wantClaimed()
	c.now = c.now.Add(time.Minute)
	held := c.wantClaimed(id)[0]
	c.must(c.Collected(t.Context(), lost)) // who lost it says so late: it is not theirs to end
	c.must(c.NotCollected(t.Context(), lost))
	if c.collected(id) {
		t.Error("a claim that had run out was ended")
	}
	c.wantClaimed()
	c.must(c.Collected(t.Context(), held))
	if !c.collected(id) {
		t.Error("it is not recorded that it was collected")
	}
}

func TestAFolderThatAnotherConversationUsesIsNotClaimed(t *testing.T) {
	t.Parallel()
	const folder = "/ws/t/one"
	for name, other := range map[string]struct {
		state, dir string
		roots      []string
		foreign    bool
		spared     bool
	}{
		"live, the same":           {state: "live", dir: folder, spared: true},
		"being made, the same":     {state: "reserved", dir: folder, spared: true},
		"failed, the same":         {state: "failed", dir: folder, spared: true},
		"another team's, the same": {state: "live", dir: folder, foreign: true, spared: true},
		"inside":                   {state: "live", dir: folder + "/deep/er", spared: true},
		"around":                   {state: "live", dir: "/ws", spared: true},
		"its root is the same":     {state: "live", dir: "/ws/t/two", roots: []string{"/ws/t/three", folder}, spared: true},
		"its root is inside":       {state: "live", dir: "/ws/t/two", roots: []string{folder + "/deep"}, spared: true},
		"its root is around":       {state: "live", dir: "/ws/t/two", roots: []string{"/ws/t"}, spared: true},
		"beside":                   {state: "live", dir: "/ws/t/two"},
		"a longer name":            {state: "live", dir: folder + "0", roots: []string{folder + "-more"}},
		"a shorter name":           {state: "live", dir: "/ws/t/on", roots: []string{"/ws/t/o"}},
		"in no known folder":       {state: "live"},
		"deleted, the same":        {state: "deleted", dir: folder},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCare(t)
			id := c.dead(folder)
			team := c.ours
			if other.foreign {
				team = c.theirs
			}
			c.exec(`
				INSERT INTO conversations (id, team_id, state, working_dir, roots, updated_at, collect_after)
				VALUES ($1, $2, $3, $4, string_to_array($5, ','), $6, 'infinity')`,
				uuid.New(), team, other.state, other.dir, join(other.roots), noon)
			c.now = noon.Add(time.Hour)
			if other.spared {
				c.wantClaimed()
				return
			}
			c.wantClaimed(id)
		})
	}
}

func join(list []string) string {
	text := ""
	for i, s := range list {
		if i > 0 {
			text += ","
		}
		text += s
	}
	return text
}

func TestASharedFolderGoesWithTheLastAfterItsOwnGrace(t *testing.T) {
	t.Parallel()
	c := newCare(t)
	fork := c.make(Conversation{WorkingDir: "/ws/a"})
	source := c.dead("/ws/a")
	c.now = noon.Add(2 * time.Hour)
	c.wantClaimed() // and the source's next turn is in an hour
	c.now = noon.Add(2*time.Hour + 50*time.Minute)
	c.must(c.Delete(t.Context(), fork.ID, nil))
	c.now = noon.Add(3 * time.Hour)
	c.wantClaimed()
	c.now = noon.Add(4 * time.Hour)
	for _, g := range c.wantClaimed(source, fork.ID) {
		c.must(c.Collected(t.Context(), g))
	}
	c.now = c.now.Add(1000 * time.Hour)
	c.wantClaimed()
}

// Two deleted ones may share a folder and be claimed one after the other: never at the same time by two.
func TestWhatOneRemovesNobodyElseRemovesAtTheSameTime(t *testing.T) {
	t.Parallel()
	c := newCare(t)
	first, inside := c.dead("/ws/a"), c.dead("/ws/a/b")
	c.now = noon.Add(time.Hour)
	claimed := c.claims(1)
	if len(claimed) != 1 || claimed[0].ID != first && claimed[0].ID != inside {
		t.Fatalf("claimed %v", claimed)
	}
	c.wantClaimed()
	c.must(c.Collected(t.Context(), claimed[0]))
	c.now = c.now.Add(time.Hour)
	if next := c.claims(1); len(next) != 1 || next[0].ID == claimed[0].ID {
		t.Errorf("claimed %v next", next)
	}
}

func TestReplicasShareTheWorkAndDoEachFolderOnce(t *testing.T) {
	t.Parallel()
	c := newCare(t)
	const folders = 60
	for n := range folders {
		dir := fmt.Sprintf("/ws/%d", n)
		c.exec(`
			INSERT INTO conversations (id, team_id, state, working_dir, updated_at)
			VALUES ($1, $3, 'deleted', $4, $5), ($2, $3, 'deleted', $4, $5)`, uuid.New(), uuid.New(), c.ours, dir, noon)
	}
	later := noon.Add(time.Hour)
	var mu sync.Mutex
	claims := map[uuid.UUID]int{}
	var replicas sync.WaitGroup
	for range 6 {
		replicas.Go(func() {
			s := New(c.db, Options{Now: func() time.Time { return later }})
			for {
				claimed, err := s.ClaimGarbage(t.Context(), 1, everything)
				if err != nil || len(claimed) == 0 {
					if err != nil {
						t.Error(err)
					}
					return
				}
				c.wantAlone(claimed[0], later)
				mu.Lock()
				claims[claimed[0].ID]++
				mu.Unlock()
				if err := s.Collected(t.Context(), claimed[0]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	replicas.Wait()
	for id, n := range claims {
		if n != 1 || !c.collected(id) {
			t.Errorf("%s was claimed %d times, collected %v", id, n, c.collected(id))
		}
	}
	later = later.Add(24 * time.Hour) // those that met another's claim wait for their next turn
	c.now = later
	for rest := c.claims(100); len(rest) > 0; rest = c.claims(100) {
		for _, g := range rest {
			claims[g.ID]++
			c.must(c.Collected(t.Context(), g))
		}
	}
	if len(claims) != 2*folders {
		t.Errorf("%d of %d were claimed", len(claims), 2*folders)
	}
}

// wantAlone checks that nobody else has a claim on the same folder.
func (c *care) wantAlone(g Garbage, now time.Time) {
	others := 0
	err := c.db.GetContext(c.t.Context(), &others, `
		SELECT count(*)
		  FROM conversations
		 WHERE working_dir = $1 AND id <> $2 AND collect_until > $3`, g.WorkingDir, g.ID, now)
	if err != nil || others > 0 {
		c.t.Errorf("%s is removed by %d more (%v)", g.WorkingDir, others, err)
	}
}

func TestAClaimDoesNotWaitForAReservation(t *testing.T) {
	t.Parallel()
	c := newCare(t)
	looked := c.dead("/ws/a")
	c.now = noon.Add(time.Second)
	free := c.dead("/ws/b")
	c.now = noon.Add(2 * time.Hour)
	reservation, err := c.db.BeginTxx(t.Context(), nil)
	c.must(err)
	defer func() { _ = reservation.Rollback() }()
	if _, err := reservation.ExecContext(t.Context(), `SELECT 1 FROM conversations WHERE id = $1 FOR SHARE`, looked); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	claimed, err := c.ClaimGarbage(ctx, 10, everything)
	if err != nil || len(claimed) != 1 || claimed[0].ID != free {
		t.Errorf("claimed %v, %v", claimed, err)
	}
}

func TestAFolderThatIsBeingRemovedCannotBeReserved(t *testing.T) {
	t.Parallel()
	c := newCare(t)
	c.dead("/ws/a/b")
	reserve := func(folder string) error {
		return c.Reserve(t.Context(), Conversation{ID: uuid.New(), Team: c.ours, WorkingDir: folder})
	}
	c.now = noon.Add(time.Hour)
	claimed := c.claims(1)
	for _, folder := range []string{"/ws/a/b", "/ws/a", "/ws/a/b/c"} {
		c.want(reserve(folder), ErrCollecting)
	}
	taken := Conversation{ID: uuid.New(), Team: c.ours, WorkingDir: "/ws/z", Roots: []string{"/ws/a/b"}}
	c.want(c.Reserve(t.Context(), taken), ErrCollecting)
	c.want(reserve("/ws/a/bc"), nil)
	c.want(reserve(""), nil)
	c.must(c.NotCollected(t.Context(), claimed[0]))
	c.want(reserve("/ws/a/b"), nil)
	c.now = c.now.Add(time.Hour)
	c.wantClaimed() // it is used again
	taken.Roots = nil
	c.want(c.Reserve(t.Context(), taken), nil) // the refused id was not kept
}

// A reservation and a claim of the same folder: whoever comes first, one of them knows of the other.
func TestAClaimAndAReservationOfOneFolderNeverBothSucceed(t *testing.T) {
	t.Parallel()
	c := newCare(t)
	const rounds = 150
	for n := range rounds {
		c.exec(`INSERT INTO conversations (id, team_id, state, working_dir, updated_at) VALUES ($1, $2, 'deleted', $3, $4)`,
			numbered(n), c.ours, fmt.Sprintf("/ws/%d", n), noon.Add(time.Duration(n)*time.Millisecond))
	}
	c.now = noon.Add(2 * time.Hour)
	for n := range rounds {
		dir := fmt.Sprintf("/ws/%d", n)
		var reserved error
		var claimed []Garbage
		var both sync.WaitGroup
		both.Go(func() {
			reserved = c.Reserve(context.WithoutCancel(t.Context()), Conversation{ID: uuid.New(), Team: c.ours, WorkingDir: dir})
		})
		both.Go(func() {
			var err error
			if claimed, err = c.ClaimGarbage(context.WithoutCancel(t.Context()), 1, everything); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
		got := slices.ContainsFunc(claimed, func(g Garbage) bool { return g.WorkingDir == dir })
		switch {
		case reserved != nil && !errors.Is(reserved, ErrCollecting):
			t.Fatal(reserved)
		case got && reserved == nil:
			t.Fatalf("round %d: it is reserved, and it is being removed", n)
		}
		for _, g := range claimed {
			c.must(c.Collected(t.Context(), g))
		}
		c.exec(`UPDATE conversations SET collect_after = 'infinity' WHERE state = 'deleted' AND working_dir = $1`, dir)
	}
}

func TestWhatDoesNotGoWithItsConversationIsNeverAskedForAgain(t *testing.T) {
	t.Parallel()
	c := newCare(t)
	id := c.dead("/elsewhere")
	c.now = noon.Add(time.Hour)
	asked := 0
	none := func(Conversation) []string { asked++; return nil }
	for range 3 {
		claimed, err := c.ClaimGarbage(t.Context(), 10, none)
		if err != nil || len(claimed) != 0 {
			t.Errorf("claimed %v, %v", claimed, err)
		}
		c.now = c.now.Add(1000 * time.Hour)
	}
	if asked > 2 { // by one look
		t.Errorf("asked %d times", asked)
	}
	if c.collected(id) {
		t.Error("it says that it was removed")
	}
}
