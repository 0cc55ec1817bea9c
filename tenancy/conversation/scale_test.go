package conversation_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	. "github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

// TestAHundredThousandConversations does not run beside others, whose memory would count.
func TestAHundredThousandConversations(t *testing.T) {
	url := dbtest.URL(t)
	plain := dbtest.Open(t, url)
	teams := dbtest.Crowd(t, plain)
	t.Run("take little memory in the ownership map", func(t *testing.T) { theMapStaysSmall(t, plain, teams[0]) })
	t.Run("do not make a question dearer than its answer", func(t *testing.T) { questionsCostWhatTheyHold(t, url, plain, teams) })
	t.Run("nor with a worktree each", func(t *testing.T) { foldersAreFoundByIndexes(t, url, plain, teams) })
}

// questionsCostWhatTheyHold counts statements, and the pages that Postgres looks at for them: they do not depend on how busy a
// machine is.
func questionsCostWhatTheyHold(t *testing.T, url string, plain *postgres.DB, teams []uuid.UUID) {
	db, record := dbtest.OpenRecorded(t, url)
	s := New(db, Options{})
	big, small := teams[0], teams[500]
	either := []string{"conversations_team_created", "conversations_team_updated"}
	var ids []uuid.UUID
	if err := plain.SelectContext(t.Context(), &ids, `SELECT id FROM conversations ORDER BY id LIMIT 99`); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		team       uuid.UUID
		ask        func(p *access.Principal, team uuid.UUID) error
		indexes    []string
		statements int
		pages      int
	}{
		"a page of a small team": {small, pageOf(t, s, Query{Limit: 100}), either, 1, 150},
		"a page of a big team":   {big, pageOf(t, s, Query{Limit: 100}), []string{"conversations_team_created"}, 1, 150},
		"a page by the last change": {
			big, pageOf(t, s, Query{Limit: 100, Sort: UpdatedDescending}), []string{"conversations_team_updated"}, 1, 150,
		},
		"the hundredth page": {big, deepPageOf(t, s, record, 100), []string{"conversations_team_created"}, 1, 150},
		"a count of a small team": {
			small, func(p *access.Principal, team uuid.UUID) error { _, err := s.Count(t.Context(), p, team); return err },
			either, 1, 150,
		},
		"a folder of a small team": {small, folderOf(t, s), append(either, "conversations_folder"), 1, 150},
		"a folder of a big team":   {big, folderOf(t, s), append(either, "conversations_folder"), 1, 150},
		"rights to one": {
			small, func(_ *access.Principal, _ uuid.UUID) error { _, err := s.Find(t.Context(), ids[0]); return err },
			[]string{"conversations_pkey"}, 1, 10,
		},
		"rights to a batch": {
			small, func(p *access.Principal, _ uuid.UUID) error { _, err := s.Visible(t.Context(), p, ids[1:]); return err },
			[]string{"conversations_pkey"}, 1, 500,
		},
	} {
		p := &access.Principal{User: uuid.New(), Memberships: []access.Membership{{Team: c.team, Role: access.Developer}}}
		record.Forget()
		if err := c.ask(p, c.team); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		asked := record.Statements()
		if len(asked) != c.statements {
			t.Errorf("%s: %d statements, want %d: %v", name, len(asked), c.statements, asked)
		}
		for _, statement := range asked {
			cost := explain(t, plain, statement)
			t.Logf("%s: %d pages, by %v", name, cost.pages, cost.indexes)
			used := slices.ContainsFunc(cost.indexes, func(index string) bool { return slices.Contains(c.indexes, index) })
			if cost.pages > c.pages || !used || cost.whole {
				t.Errorf("%s: %d pages by indexes %v (the whole table: %t), want at most %d by one of %v:\n%s",
					name, cost.pages, cost.indexes, cost.whole, c.pages, c.indexes, cost.plan)
			}
		}
	}
}

// folderOf asks for a folder in which nobody works.
func folderOf(t *testing.T, s *Service) func(*access.Principal, uuid.UUID) error {
	return func(p *access.Principal, team uuid.UUID) error {
		_, err := s.Containing(t.Context(), p, team, "/srv/ws/teams/"+team.String()+"/conversations/"+uuid.NewString()+"/src/main.go")
		if !errors.Is(err, access.ErrHidden) {
			return fmt.Errorf("got %w, want that it is hidden", err)
		}
		return nil
	}
}

func pageOf(t *testing.T, s *Service, q Query) func(*access.Principal, uuid.UUID) error {
	return func(p *access.Principal, team uuid.UUID) error {
		_, _, err := s.Page(t.Context(), p, team, q)
		return err
	}
}

// deepPageOf walks there and has only the last page recorded.
func deepPageOf(t *testing.T, s *Service, record *dbtest.Record, number int) func(*access.Principal, uuid.UUID) error {
	return func(p *access.Principal, team uuid.UUID) (err error) {
		q := Query{Limit: 100}
		for range number {
			record.Forget()
			if _, q.Cursor, err = s.Page(t.Context(), p, team, q); err != nil {
				return err
			}
		}
		return nil
	}
}

// cost is what Postgres did for a statement.
type cost struct {
	pages   int
	indexes []string
	whole   bool // it read all conversations one after the other
	plan    string
}

type planNode struct {
	Type     string     `json:"Node Type"`
	Index    string     `json:"Index Name"`
	Relation string     `json:"Relation Name"`
	Hit      int        `json:"Shared Hit Blocks"`
	Read     int        `json:"Shared Read Blocks"`
	Plans    []planNode `json:"Plans"`
}

// explain runs a statement again and asks what that took.
func explain(t *testing.T, db *postgres.DB, s dbtest.Statement) cost {
	t.Helper()
	var raw string
	if err := db.GetContext(t.Context(), &raw, `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) `+s.SQL, s.Args...); err != nil {
		t.Fatalf("%v in %s", err, s.SQL)
	}
	var plans []struct{ Plan planNode }
	if err := json.Unmarshal([]byte(raw), &plans); err != nil || len(plans) != 1 {
		t.Fatalf("%v in %s", err, raw)
	}
	c := cost{pages: plans[0].Plan.Hit + plans[0].Plan.Read, plan: raw}
	c.look(plans[0].Plan)
	return c
}

func (c *cost) look(n planNode) {
	if n.Index != "" {
		c.indexes = append(c.indexes, n.Index)
	}
	if strings.Contains(n.Type, "Seq Scan") && n.Relation == "conversations" {
		c.whole = true
	}
	for _, child := range n.Plans {
		c.look(child)
	}
}

func theMapStaysSmall(t *testing.T, db *postgres.DB, team uuid.UUID) {
	const bound = 20 << 20
	ids := []uuid.UUID{}
	if err := db.SelectContext(t.Context(), &ids, `SELECT id FROM conversations`); err != nil {
		t.Fatal(err)
	}
	p := &access.Principal{User: uuid.New(), Memberships: []access.Membership{{Team: team, Role: access.Viewer}}}
	before := heap()
	s := New(db, Options{})
	for chunk := range slices.Chunk(ids, 5_000) {
		if _, err := s.Visible(t.Context(), p, chunk); err != nil {
			t.Fatal(err)
		}
	}
	size := heap() - before
	freshAgain(t, db)
	for _, id := range ids {
		if _, known := s.Known(id); !known {
			t.Fatalf("%s is not remembered, so this test shows nothing", id)
		}
	}
	t.Logf("%d conversations take %.1f MiB, %d bytes each", len(ids), float64(size)/(1<<20), size/int64(len(ids)))
	if size > bound {
		t.Errorf("%d conversations take %d bytes, more than %d", len(ids), size, bound)
	}
	runtime.KeepAlive(ids)
}

// heap is what is reachable.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
