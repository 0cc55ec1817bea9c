package e2e_test

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"
)

// matrixColumns are the kinds of callers, in the order of the file's columns.
var matrixColumns = []string{"none", "anonymous", "other", "viewer", "developer", "admin", "owner", "superuser", "expired", "suspended"}

// likeColumns are further kinds of callers. The file says of each which column it is like, and what differs.
var likeColumns = []string{"key-read", "key-write", "key-bound", "service", "entered"}

// cell is what one caller gets: a status, or how a WebSocket went ("open", or the code it closed with), and whether the upstream
// saw a request because of it.
type cell struct {
	status string
	seen   bool
}

func (c cell) String() string {
	if c.seen {
		return c.status + "+"
	}
	return c.status + "-"
}

// readMatrix reads the expectations: operation (and a variant, "#name"), then one cell per column; "@caller like column", with
// "but cell is cell" where that differs all over; and "operation @caller cell" for what differs once.
func readMatrix(t testing.TB) map[string]map[string]cell {
	t.Helper()
	all, likes, differ := map[string]map[string]cell{}, map[string]like{}, map[string]map[string]cell{}
	for _, line := range lines(t, "testdata/matrix.txt") {
		line, _, _ = strings.Cut(line, " ; ") // a remark
		if readLike(t, line, likes, differ) {
			continue
		}
		fields := strings.Fields(line)
		key := strings.Join(fields[:len(fields)-min(len(fields), len(matrixColumns))], " ")
		if all[key] != nil || strings.Count(key, "/") == 0 {
			t.Fatalf("testdata/matrix.txt: %q stands there twice, or has not %d cells", line, len(matrixColumns))
		}
		all[key] = map[string]cell{}
		for i, text := range fields[len(fields)-len(matrixColumns):] {
			all[key][matrixColumns[i]] = readCell(t, key, text)
		}
	}
	spread(t, all, likes, differ)
	return all
}

func readCell(t testing.TB, key, text string) cell {
	t.Helper()
	status, sign := text[:len(text)-1], text[len(text)-1:]
	if sign != "+" && sign != "-" {
		t.Fatalf("testdata/matrix.txt: %q has a cell %q without a sign", key, text)
	}
	return cell{status: status, seen: sign == "+"}
}

// like says that a caller gets what another does, but for one answer that is another one.
type like struct {
	column    string
	but, then cell
}

func (l like) of(row map[string]cell) cell {
	if c := row[l.column]; c != l.but {
		return c
	}
	return l.then
}

// readLike reads a line about a further kind of caller; false for all others.
func readLike(t testing.TB, line string, likes map[string]like, differ map[string]map[string]cell) bool {
	t.Helper()
	before, after, found := strings.Cut(line, "@")
	if !found {
		return false
	}
	key, words := strings.TrimSpace(before), strings.Fields(after)
	switch {
	case len(words) == 3 && key == "" && words[1] == "like" && slices.Contains(matrixColumns, words[2]):
		likes[words[0]] = like{column: words[2]}
	case len(words) == 7 && key == "" && words[1] == "like" && slices.Contains(matrixColumns, words[2]) && words[3] == "but" && words[5] == "is":
		likes[words[0]] = like{words[2], readCell(t, line, words[4]), readCell(t, line, words[6])}
	case len(words) == 2 && key != "" && slices.Contains(likeColumns, words[0]) && differ[key][words[0]] == cell{}:
		if differ[key] == nil {
			differ[key] = map[string]cell{}
		}
		differ[key][words[0]] = readCell(t, key, words[1])
	default:
		t.Fatalf("testdata/matrix.txt: %q says nothing, or says it twice", line)
	}
	return true
}

// spread gives every operation the cells of the further callers. What differs must differ.
func spread(t testing.TB, all map[string]map[string]cell, likes map[string]like, differ map[string]map[string]cell) {
	t.Helper()
	for _, column := range likeColumns {
		for _, row := range all {
			row[column] = likes[column].of(row)
		}
	}
	for key, cells := range differ {
		for column, c := range cells {
			if all[key] == nil || all[key][column] == c {
				t.Fatalf("testdata/matrix.txt: %q @%s says nothing new", key, column)
			}
			all[key][column] = c
		}
	}
}

// matrixRequest is how an operation is asked. Placeholders in braces are filled in for each caller.
type matrixRequest struct {
	key    string // the operation, and the variant
	method string
	path   string // with the query
	body   string
}

// readRequests reads how operations are asked that need a query or a body; the others are asked as they are, first.
func readRequests(t *testing.T) []matrixRequest {
	t.Helper()
	var written []matrixRequest
	for _, line := range lines(t, "testdata/matrix.requests.txt") {
		fields := strings.Fields(line)
		r := matrixRequest{key: fields[0] + " " + fields[1], method: fields[0], path: fields[1]}
		rest := strings.TrimSpace(line[strings.Index(line, fields[1])+len(fields[1]):])
		take := func() string {
			word, after, _ := strings.Cut(rest, " ")
			rest = strings.TrimSpace(after)
			return word
		}
		if strings.HasPrefix(rest, "#") {
			r.key += " " + take()
		}
		if strings.HasPrefix(rest, "=") {
			r.path = take()[1:]
		} else if strings.HasPrefix(rest, "?") {
			r.path += take()
		}
		r.body = rest
		written = append(written, r)
	}
	return append(plain(t, written), written...)
}

func plain(t *testing.T, written []matrixRequest) (all []matrixRequest) {
	for operation := range allOperations(t) {
		if !slices.ContainsFunc(written, func(r matrixRequest) bool { return r.key == operation }) {
			method, path, _ := strings.Cut(operation, " ")
			all = append(all, matrixRequest{key: operation, method: method, path: path})
		}
	}
	slices.SortFunc(all, func(a, b matrixRequest) int { return strings.Compare(a.key, b.key) })
	return all
}

// upstreamOperations are all that the upstream serves.
func upstreamOperations(t testing.TB) map[string]bool {
	t.Helper()
	return listed(t, "../proxy/agentserver/testdata/operations-1.49.1.txt")
}

// allOperations are those, and ours that go by the same table.
func allOperations(t testing.TB) map[string]bool {
	t.Helper()
	return listed(t, "../proxy/agentserver/testdata/operations-1.49.1.txt", "../proxy/agentserver/testdata/operations-own.txt", "../internal/app/testdata/operations-team.txt")
}

func listed(t testing.TB, files ...string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, file := range files {
		for _, line := range lines(t, file) {
			all[strings.TrimSpace(line)] = true
		}
	}
	return all
}

// lines reads a file without its remarks and empty lines.
func lines(t testing.TB, name string) (all []string) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		if line := scanner.Text(); strings.TrimSpace(line) != "" && line[0] != '#' {
			all = append(all, line)
		}
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
