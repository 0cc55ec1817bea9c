package e2e_test

import (
	"database/sql"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestEveryOperationForEveryKindOfCaller asks every operation of the upstream, and ours that go by the same table, in the name of every kind of caller, and compares
// the status, and whether the upstream saw a request, with what people wrote down in testdata/matrix.txt. The runner knows
// nothing of permissions and treatments.
//
// What is asked about exists: a live conversation of the team with a file, a commit, a title and events. So 404 means hidden. No
// answer to a caller may hold anything of a team that is not the caller's. Each member has a conversation to spoil; what
// strangers ask about is looked at again at the end.
func TestEveryOperationForEveryKindOfCaller(t *testing.T) {
	t.Parallel()
	expected, requests := readMatrix(t), readRequests(t)
	for _, fault := range incomplete(allOperations(t), expected, requests) {
		t.Error(fault)
	}
	m := newMatrix(t, expected, requests)

	draft := &draft{cells: map[string]map[string]cell{}}
	t.Run("callers", func(t *testing.T) {
		for _, c := range m.callers {
			t.Run(c.name(), func(t *testing.T) {
				t.Parallel()
				m.walk(t, c, draft)
			})
		}
		t.Run("other naming the team", func(t *testing.T) {
			t.Parallel()
			m.walkNaming(t)
		})
	})
	m.unharmed(t)
	m.turnAnonymousOn(t)
	t.Run("anonymous", func(t *testing.T) { m.walk(t, m.nobody, draft) })
	m.unharmed(t)
	for _, stray := range m.upstream.strays() {
		t.Errorf("the upstream got a request in nobody's name: %s", stray)
	}
	t.Logf("the matrix: %d operations, %d lines with variants, %d kinds of callers; %d cases were asked, the upstream saw %d requests",
		len(allOperations(t)), len(expected), len(matrixColumns)+len(likeColumns), draft.count(), m.upstream.count())
	draft.write(t)
}

// walk asks all that one caller asks, in the order of the file, and what destroys at the end.
func (m *matrix) walk(t *testing.T, c *caller, draft *draft) {
	for _, line := range m.requests {
		want, listed := m.expected[line.key]
		got := c.ask(t, m.upstream, line)
		for tries := 0; got.cell.status == "500" && got.cell.seen && tries < 3; tries++ {
			t.Logf("%s: the upstream failed, and is asked again", line.key) // it races with itself: a download with the one before
			got = c.ask(t, m.upstream, line)
		}
		draft.note(line.key, c.column, got.cell)
		if listed && got.cell != want[c.column] {
			t.Errorf("%s: %s, want %s: %.400s\nthe upstream saw %q", line.key, got.cell, want[c.column], got.text, got.seen)
		}
		for _, marker := range c.foreign {
			if holds(got.text, marker) && !holds(c.fill(line.path+line.body), marker) { // what was asked is no news
				t.Errorf("%s: the answer holds %q, which is another team's: %.1000s", line.key, marker, got.text)
			}
		}
	}
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

func holds(text, marker string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(marker))
}

// walkNaming asks everything in the name of a stranger who names the team in the header: it is missing, so all is.
func (m *matrix) walkNaming(t *testing.T) {
	about := map[string]string{"GET /alive": "200-", "GET /health": "200-", "GET /ready": "200-"} // these ask for nobody's sake
	for _, line := range m.requests {
		want := or(about[line.key], "404-")
		if line.method == "WS" && line.key != "WS /sockets/bash-events" {
			want = "4004-"
		}
		if got := m.naming.ask(t, m.upstream, line); got.cell.String() != want {
			t.Errorf("%s: %s, want %s: %.300s", line.key, got.cell, want, got.text)
		}
	}
}

// unharmed looks at the conversation that strangers asked about.
func (m *matrix) unharmed(t *testing.T) {
	t.Helper()
	owner, e := m.owner, m.shown
	info := owner.want(http.StatusOK, owner.get("/api/conversations/"+e.id))
	if owner.field(info, "title") != e.title || owner.field(info, "execution_status") != "finished" {
		t.Errorf("a stranger changed the conversation: %.2000s", info.body)
	}
	file := owner.want(http.StatusOK, owner.get("/api/conversations/"+e.id+"/workspace/"+e.file))
	count := owner.want(http.StatusOK, owner.get("/api/conversations/"+e.id+"/events/count"))
	if !strings.Contains(file.body, e.content) || count.body != e.events {
		t.Errorf("a stranger changed the file or the history: %s, %s events (were %s)", file.body, count.body, e.events)
	}
	for _, made := range []string{"new.txt", "new"} {
		owner.want(http.StatusNotFound, owner.get("/api/conversations/"+e.id+"/workspace/"+made))
	}
}

// incomplete says which operations have no expectations, and which lines no operation.
func incomplete(known map[string]bool, expected map[string]map[string]cell, requests []matrixRequest) (faults []string) {
	asked := map[string]bool{}
	for _, r := range requests {
		asked[r.key] = true
		if expected[r.key] == nil {
			faults = append(faults, "testdata/matrix.requests.txt asks "+r.key+", of which nothing is expected")
		}
	}
	for operation := range known {
		if expected[operation] == nil {
			faults = append(faults, "testdata/matrix.txt expects nothing of "+operation)
		}
	}
	for key := range expected {
		if operation, _, _ := strings.Cut(key, " #"); !known[operation] {
			faults = append(faults, "testdata/matrix.txt has a line for "+key+", which is no operation")
		}
		if !asked[key] {
			faults = append(faults, "nothing asks "+key)
		}
	}
	slices.Sort(faults)
	return faults
}

func TestAnOperationWithoutExpectationsIsNoticed(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"GET /a": true, "GET /b": true}
	line := map[string]cell{}
	got := incomplete(known, map[string]map[string]cell{"GET /a": line, "GET /a #x": line, "GET /c": line}, []matrixRequest{{key: "GET /a"}, {key: "GET /a #y"}})
	want := []string{
		"nothing asks GET /a #x",
		"nothing asks GET /c",
		"testdata/matrix.requests.txt asks GET /a #y, of which nothing is expected",
		"testdata/matrix.txt expects nothing of GET /b",
		"testdata/matrix.txt has a line for GET /c, which is no operation",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// draft is the matrix as it was found: the beginning of a new file, which people then correct. MATRIX_DRAFT names the file.
type draft struct {
	mu    sync.Mutex
	cells map[string]map[string]cell
}

func (d *draft) note(key, column string, c cell) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cells[key] == nil {
		d.cells[key] = map[string]cell{}
	}
	d.cells[key][column] = c
}

func (d *draft) count() (n int) {
	for _, row := range d.cells {
		n += len(row)
	}
	return n
}

func (d *draft) write(t *testing.T) {
	t.Helper()
	file := os.Getenv("MATRIX_DRAFT")
	if file == "" {
		return
	}
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(d.cells)) {
		fmt.Fprintf(&text, "%-90s", key)
		for _, column := range slices.Concat(matrixColumns, likeColumns) {
			fmt.Fprintf(&text, " %-5s", d.cells[key][column])
		}
		text.WriteString("\n")
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Error(err)
	}
}

func (m *matrix) turnAnonymousOn(t *testing.T) {
	t.Helper()
	m.server.command(t, "anonymous", "on")
	within(t, revocation, "anonymous use works", func() error {
		if status := m.nobody.client.get("/api/conversations/search").status; status != http.StatusOK {
			return fmt.Errorf("status %d", status)
		}
		return nil
	})
	m.nobody.warm(t)
}

// change runs a statement in the database behind an instance.
func (i *instance) change(t *testing.T, statement string, arguments ...any) {
	t.Helper()
	db, err := sql.Open("postgres", i.database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	result, err := db.ExecContext(t.Context(), statement, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); n == 0 {
		t.Fatalf("nothing was changed by %s (%v)", statement, err)
	}
}
