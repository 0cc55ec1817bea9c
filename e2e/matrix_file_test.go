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

// readMatrix reads the expectations: operation (and a variant, "#name"), then one cell per column.
func readMatrix(t testing.TB) map[string]map[string]cell {
	t.Helper()
	all := map[string]map[string]cell{}
	for _, line := range lines(t, "testdata/matrix.txt") {
		line, _, _ = strings.Cut(line, " ; ") // a remark
		fields := strings.Fields(line)
		key := strings.Join(fields[:len(fields)-min(len(fields), len(matrixColumns))], " ")
		if all[key] != nil || strings.Count(key, "/") == 0 {
			t.Fatalf("testdata/matrix.txt: %q stands there twice, or has not %d cells", line, len(matrixColumns))
		}
		all[key] = map[string]cell{}
		for i, text := range fields[len(fields)-len(matrixColumns):] {
			status, sign := text[:len(text)-1], text[len(text)-1:]
			if sign != "+" && sign != "-" {
				t.Fatalf("testdata/matrix.txt: %q has a cell %q without a sign", key, text)
			}
			all[key][matrixColumns[i]] = cell{status: status, seen: sign == "+"}
		}
	}
	return all
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
